package writ.gate

# Signers are people, each counted once however many keys they signed with.
allowed_signers(rule) := {signer.person |
	some signer in input.grants.signers
	may_sign(rule, signer)
}

may_sign(rule, signer) if signer.person in rule.signed_by.people

may_sign(rule, signer) if {
	some group in signer.groups
	group in rule.signed_by.groups
}

signed_by_holds(rule) if {
	rule.signed_by.at_least >= 1
	count(allowed_signers(rule)) >= rule.signed_by.at_least
}

who_may_sign(rule) := words(array.concat(rule.signed_by.people, [sprintf("group %s", [g]) | some g in rule.signed_by.groups]))

# METADATA
# labels: {id: writ/signed-by}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not signed_by_holds(rule)
	count(allowed_signers(rule)) == 0
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
	not signed_by_holds(rule)
	count(allowed_signers(rule)) > 0
	lack := {
		"part": "signed_by", "code": "too-few-signers",
		"msg": sprintf("signed by %s; the rule wants %d different people of %s", [words(sort(allowed_signers(rule))), rule.signed_by.at_least, who_may_sign(rule)]),
		"hint": sprintf("%d more must sign", [rule.signed_by.at_least - count(allowed_signers(rule))]),
	}
}

signers_said := words([signer.person | some signer in input.grants.signers]) if count(input.grants.signers) > 0

signers_said := "nobody that grants.yaml knows" if count(input.grants.signers) == 0
