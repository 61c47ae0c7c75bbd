package writ.gate

who_may_approve(rule) := words(array.concat(rule.approved_by.people, [sprintf("group %s", [g]) | some g in rule.approved_by.groups]))

# METADATA
# labels: {id: writ/approved-by}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	rule.approved_by.wanted == true
	input.grants.requester.person == ""
	lack := {
		"part": "approved_by", "code": "requester-unknown",
		"msg": sprintf("grants.yaml does not know %s, so an approver cannot be told from the requester", [input.caller.id]),
		"hint": "let somebody request it who stands among the people of grants.yaml",
	}
}

# METADATA
# labels: {id: writ/approved-by}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not approved_by_holds(rule)
	count(approvers(rule)) == 0
	lack := {
		"part": "approved_by", "code": "approval-missing",
		"msg": sprintf("nobody has approved it who counts; the rule wants %d of %s%s", [rule.approved_by.at_least, who_may_approve(rule), not_counted(rule)]),
		"hint": sprintf("let %d of %s approve this file, with these parameters, for this worker group: writ approve", [rule.approved_by.at_least, who_may_approve(rule)]),
	}
}

# METADATA
# labels: {id: writ/approved-by}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not approved_by_holds(rule)
	found := count(approvers(rule))
	found > 0
	found < rule.approved_by.at_least
	lack := {
		"part": "approved_by", "code": "too-few-approvals",
		"msg": sprintf("approved by %s; the rule wants %d different people of %s%s", [words(sort(approvers(rule))), rule.approved_by.at_least, who_may_approve(rule), not_counted(rule)]),
		"hint": sprintf("%d more must approve: writ approve", [rule.approved_by.at_least - found]),
	}
}

not_counted(rule) := sprintf("; not counted: %s", [words(sort(faults_for(rule)))]) if count(faults_for(rule)) > 0

not_counted(rule) := "" if count(faults_for(rule)) == 0

faults_for(rule) := {sprintf("%s: %s", [approval.what, why]) |
	some approval in input.grants.approvals
	some why in array.concat(approval.faults, [o | some person in approval.people; o := objection(rule, person)])
}
