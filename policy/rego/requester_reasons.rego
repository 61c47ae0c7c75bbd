package writ.gate

who_may_request(rule) := words(array.concat(rule.requested_by.people, [sprintf("group %s", [g]) | some g in rule.requested_by.groups]))

groups_incomplete(rule) if {
	not input.caller.groups_complete == true
	count(rule.requested_by.groups) > 0
}

# METADATA
# labels: {id: writ/requested-by}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not requester_fits(rule)
	not groups_incomplete(rule)
	lack := {
		"part": "requested_by", "code": "requester-not-allowed",
		"msg": sprintf("%s may not request it; the rule wants %s", [input.caller.id, who_may_request(rule)]),
		"hint": sprintf("let %s request it", [who_may_request(rule)]),
	}
}

# METADATA
# labels: {id: writ/requested-by}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not requester_fits(rule)
	groups_incomplete(rule)
	lack := {
		"part": "requested_by", "code": "groups-incomplete",
		"msg": sprintf("not all groups of %s are known; the rule wants %s", [input.caller.id, who_may_request(rule)]),
		"hint": "see why the groups of the caller could not be listed",
	}
}

# METADATA
# labels: {id: writ/requested-by}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not assurance_fits(rule)
	lack := {
		"part": "requested_by", "code": "assurance-not-allowed",
		"msg": sprintf("%s is known by %q; the rule wants %s", [input.caller.id, input.caller.assurance, words(rule.requested_by.assurance)]),
		"hint": sprintf("let it be requested in a way that is known by %s", [words(rule.requested_by.assurance)]),
	}
}
