package writ.gate

# METADATA
# labels: {id: writ/hours}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not hours_hold(rule)
	lack := {
		"part": "hours", "code": "outside-hours",
		"msg": sprintf("it is not within the hours of the rule, %s", [words([hours.said | some hours in rule.hours])]),
		"hint": "run it within these hours",
	}
}
