package writ.gate

approved_by_holds(rule) if rule.approved_by.wanted == false

# Who asks must be known: nobody can be told from an approver who has no name.
approved_by_holds(rule) if {
	rule.approved_by.wanted == true
	rule.approved_by.at_least >= 1
	input.grants.requester.person != ""
	count(approvers(rule)) >= rule.approved_by.at_least
}

# Approvers are people, each counted once, and never the requester.
approvers(rule) := {person.person |
	some approval in input.grants.approvals
	count(approval.faults) == 0
	some person in approval.people
	not objection(rule, person)
}

# Why the approval of a person does not count for a rule.
objection(rule, person) := sprintf("%s is the requester", [person.person]) if {
	person.person == input.grants.requester.person
} else := sprintf("%s is none of those who may approve", [person.person]) if {
	not may_approve(rule, person)
} else := sprintf("%s has signed the runbook", [person.person]) if {
	rule.approved_by.not_signers == true
	person.signed == true
}

may_approve(rule, person) if person.person in rule.approved_by.people

may_approve(rule, person) if {
	some group in person.groups
	group in rule.approved_by.groups
}
