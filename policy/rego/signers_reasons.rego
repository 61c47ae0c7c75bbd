package writ.gate

named_signers(rule) := {signer.person |
	some signer in input.grants.signers
	may_sign(rule, signer)
}

who_may_sign(rule) := words(array.concat(rule.signed_by.people, [sprintf("group %s", [g]) | some g in rule.signed_by.groups]))

# METADATA
# labels: {id: writ/signed-by}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not signed_by_holds(rule)
	count(named_signers(rule)) == 0
	lack := {
		"part": "signed_by", "code": "signer-not-allowed",
		"msg": sprintf("signed by %s; the rule wants %s", [signers_said, who_may_sign(rule)]),
		"hint": sprintf("let it be signed by %d of %s", [rule.signed_by.at_least, who_may_sign(rule)]),
	}
}

# METADATA
# labels: {id: writ/signed-by}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	too_few(rule)
	lack := {
		"part": "signed_by", "code": "too-few-signers",
		"msg": sprintf("signed by %s; the rule wants %d different people of %s", [allowed_said(rule), rule.signed_by.at_least, who_may_sign(rule)]),
		"hint": sprintf("%d more must sign", [rule.signed_by.at_least - count(allowed_signers(rule))]),
	}
}

too_few(rule) if {
	count(allowed_signers(rule)) > 0
	count(allowed_signers(rule)) < rule.signed_by.at_least
}

too_few(rule) if {
	rule.signed_by.at_least > 1
	count(named_signers(rule)) < rule.signed_by.at_least
}

allowed_said(rule) := words(sort(allowed_signers(rule))) if count(allowed_signers(rule)) > 0

allowed_said(rule) := "none of them so that it counts" if count(allowed_signers(rule)) == 0

# METADATA
# labels: {id: writ/signed-by}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not signed_by_holds(rule)
	some [signer, claims] in unfit_signatures(rule)
	not version_fits(rule, claims)
	claims.version != ""
	lack := {
		"part": "signed_by", "code": "version-too-old",
		"msg": sprintf("%s signed version %s, which is older than the min_version %s: an old signed file may have been put back", [signer.person, claims.version, rule.signed_by.min_version]),
		"hint": sprintf("take the file of the version that is in use; a new one is signed with writ sign --runbook-version %s or later", [rule.signed_by.min_version]),
	}
}

# METADATA
# labels: {id: writ/signed-by}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not signed_by_holds(rule)
	some [signer, claims] in unfit_signatures(rule)
	not version_fits(rule, claims)
	claims.version == ""
	lack := {
		"part": "signed_by", "code": "version-missing",
		"msg": sprintf("%s signed no version; the rule wants min_version %s", [signer.person, rule.signed_by.min_version]),
		"hint": sprintf("let it be signed with writ sign --runbook-version %s or later; signatures inside a file (authenticode) have no version", [rule.signed_by.min_version]),
	}
}

# METADATA
# labels: {id: writ/signed-by}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not signed_by_holds(rule)
	some [signer, claims] in unfit_signatures(rule)
	not namespace_fits(rule, claims)
	lack := {
		"part": "signed_by", "code": "namespace-not-matched",
		"msg": sprintf("%s signed for %s; the rule wants the namespace %s", [signer.person, namespace_said(claims), rule.signed_by.namespace]),
		"hint": sprintf("let it be signed with writ sign --namespace %s", [rule.signed_by.namespace]),
	}
}

# The signatures of people who may sign, none of whose signatures counts.
unfit_signatures(rule) := {[signer, claims] |
	some signer in input.grants.signers
	may_sign(rule, signer)
	not signer.person in allowed_signers(rule)
	some claims in signer.claims
}

namespace_said(claims) := "no namespace" if claims.namespace == ""

namespace_said(claims) := sprintf("the namespace %s", [claims.namespace]) if claims.namespace != ""

signers_said := words([signer.person | some signer in input.grants.signers]) if count(input.grants.signers) > 0

signers_said := "nobody that grants.yaml knows" if count(input.grants.signers) == 0
