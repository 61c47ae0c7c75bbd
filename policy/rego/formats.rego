package writ.gate

# Of a rule that names formats, only signatures in these count.
format_fits(rule, _) if rule.signed_by.formats.any == true

format_fits(rule, claims) if claims.format in rule.signed_by.formats.names

# Where a rule wants each of several formats, somebody who may has signed in each.
formats_complete(rule) if {
	every format in rule.signed_by.formats.each {
		signed_in(rule, format)
	}
}

signed_in(rule, format) if {
	some signer in input.grants.signers
	may_sign(rule, signer)
	some claims in signer.claims
	claims.format == format
	version_fits(rule, claims)
	namespace_fits(rule, claims)
}
