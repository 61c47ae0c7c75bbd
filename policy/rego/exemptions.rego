package writ.gate

# The exemptions that hold; only those are here that have not expired. Nobody is
# exempted by their own approval.
exemptions contains exemption.id if {
	some exemption in input.grants.exemptions
	match_holds(exemption)
	workers_hold(exemption)
	input.grants.requester.person != exemption.approver
}

exempted_codes contains code if {
	some exemption in input.grants.exemptions
	exemption.id in exemptions
	some code in exemption.codes
}

# The rules that count, because each part holds or lacks only what is exempted.
exempted contains rule.name if {
	some rule in input.grants.rules
	every part in parts(rule) {
		excused(rule, part)
	}
}

excused(_, part) if part[1] == true

excused(rule, part) if {
	count(lacks_of(rule, part[0])) > 0
	every lack in lacks_of(rule, part[0]) {
		lack.code in exempted_codes
	}
}

# The codes of the reasons that were left out.
lifted contains "freeze" if {
	"freeze" in exempted_codes
	some freeze in input.grants.freezes
	freeze_holds(freeze)
}

lifted contains code if {
	some code in exempted_codes
	some rule in input.grants.rules
	match_holds(rule)
	in_question(rule)
	some lack in lacks[rule.name]
	lack.code == code
}

in_question(rule) if rule.name in granted

in_question(_) if count(granted) == 0
