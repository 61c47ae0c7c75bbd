package writ.gate

hours_hold(rule) if rule.any_time == true

# By the clock of the zone: minutes that it shows twice count twice, those that it
# leaves out do not come.
hours_hold(rule) if {
	some hours in rule.hours
	[hour, minute, _] := time.clock([input.now_ns, hours.zone])
	some span in hours.spans
	time.weekday([input.now_ns, hours.zone]) in span.days
	(hour * 60) + minute >= span.from
	(hour * 60) + minute < span.to
}

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
