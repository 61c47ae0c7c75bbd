package writ.gate

# The statements that lift what the policy denies, in an emergency, and those who
# answer for it; both are empty where they do not suffice. Hard checks stay.
glass := {"statements": glass_statements, "approvers": glass_approvers} if {
	glass_suffices
} else := {"statements": [], "approvers": []}

glass_suffices if {
	input.grants.break_glass.at_least >= 1
	glass_requester
	count(glass_approvers) >= input.grants.break_glass.at_least
}

glass_requester if {
	input.grants.requester.person != ""
	input.grants.requester.person in input.grants.break_glass.requesters.people
}

glass_requester if {
	input.grants.requester.person != ""
	some group in input.grants.requester.groups
	group in input.grants.break_glass.requesters.groups
}

glass_statements contains statement.sha256 if {
	some statement in input.grants.break_glass.statements
	some person in statement.people
	answers_for(statement, person)
}

glass_approvers contains person.person if {
	some statement in input.grants.break_glass.statements
	some person in statement.people
	answers_for(statement, person)
}

# Nobody breaks the glass for himself.
answers_for(statement, person) if {
	count(statement.faults) == 0
	person.person != input.grants.requester.person
	may_break(person)
}

may_break(person) if person.person in input.grants.break_glass.approvers.people

may_break(person) if {
	some group in person.groups
	group in input.grants.break_glass.approvers.groups
}

# METADATA
# labels: {id: writ/break-glass}
# description: Of a run that is denied, say why a break-glass statement does not lift that.
deny contains reason if {
	count(granted) == 0
	count(input.grants.break_glass.statements) > 0
	not glass_suffices
	reason := {
		"code": "break-glass-refused",
		"msg": sprintf("break-glass statements do not lift it: %s", [words(sort(glass_faults))]),
		"hint": "",
		"rule": "writ/break-glass",
	}
}

glass_faults contains sprintf("%s: %s", [statement.what, fault]) if {
	some statement in input.grants.break_glass.statements
	some fault in statement.faults
}

glass_faults contains sprintf("%s: %s may not approve it", [statement.what, person.person]) if {
	some statement in input.grants.break_glass.statements
	count(statement.faults) == 0
	some person in statement.people
	not answers_for(statement, person)
}

glass_faults contains sprintf("%s may not request it", [input.caller.id]) if not glass_requester

glass_faults contains sprintf("%d of %d people have approved it", [count(glass_approvers), input.grants.break_glass.at_least]) if {
	count(glass_approvers) < input.grants.break_glass.at_least
}
