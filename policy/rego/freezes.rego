package writ.gate

# Freezes that exemptions lift stand here, too.
frozen if {
	some freeze in input.grants.freezes
	freeze_holds(freeze)
}

freeze_holds(freeze) if {
	match_holds(freeze)
	workers_hold(freeze)
}
