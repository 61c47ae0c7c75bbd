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
