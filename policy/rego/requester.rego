package writ.gate

requested_by_holds(rule) if {
	requester_fits(rule)
	assurance_fits(rule)
}

assurance_fits(rule) if rule.requested_by.any_assurance == true

assurance_fits(rule) if input.caller.assurance in rule.requested_by.assurance

requester_fits(rule) if rule.requested_by.anyone == true

requester_fits(rule) if {
	input.grants.requester.person != ""
	input.grants.requester.person in rule.requested_by.people
}

requester_fits(rule) if {
	some group in input.grants.requester.groups
	group in rule.requested_by.groups
}
