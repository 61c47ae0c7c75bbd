package writ.gate

# How a signature in each format is made.
signing_commands := {
	"authenticode": "writ sign --format authenticode",
	"clearsign": "writ sign --format clearsign",
	"detached": "gpg --detach-sign",
	"manifest": "writ manifest sign",
	"sigstore": "writ sign --format sigstore",
}

formats_missing(rule) := [format |
	some format in rule.signed_by.formats.each
	not signed_in(rule, format)
]

# METADATA
# labels: {id: writ/formats}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	missing := formats_missing(rule)
	count(missing) > 0
	lack := {
		"part": "signed_by", "code": "format-missing",
		"msg": sprintf("nobody of %s has signed in the format %s so that it counts; the rule wants signatures in %s", [
			who_may_sign(rule), concat(" or ", missing), concat(" and ", rule.signed_by.formats.each),
		]),
		"hint": sprintf("let it be signed by one of %s: %s", [who_may_sign(rule), concat("; ", [signing_commands[format] | some format in missing])]),
	}
}

# METADATA
# labels: {id: writ/formats}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not signed_by_holds(rule)
	some [signer, claims] in unfit_signatures(rule)
	not format_fits(rule, claims)
	lack := {
		"part": "signed_by", "code": "format-not-matched",
		"msg": sprintf("%s signed in the format %s; the rule counts signatures in %s only", [signer.person, claims.format, concat(" or ", rule.signed_by.formats.names)]),
		"hint": sprintf("let it be signed in a format that counts: %s", [concat(", or ", [signing_commands[format] | some format in rule.signed_by.formats.names])]),
	}
}
