package writ.gate

# METADATA
# labels: {id: writ/freezes}
# description: Of the freezes only those are here that are in force at this time.
deny contains reason if {
	some freeze in input.grants.freezes
	freeze_holds(freeze)
	not "freeze" in exempted_codes
	reason := {
		"code": "freeze",
		"msg": sprintf("nothing may run in the freeze %s, until %s: %s", [freeze.name, freeze.until, freeze.reason]),
		"hint": "run it after the freeze",
		"rule": "writ/freezes",
	}
}
