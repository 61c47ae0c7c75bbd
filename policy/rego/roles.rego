package writ.gate

# Each role is filled by somebody else: any number of the roles together have at
# least as many people who fill one of them.
roles_filled(rule) if rule.signed_by.any_role == true

roles_filled(rule) if {
	rule.signed_by.any_role == false
	every set in rule.signed_by.role_sets {
		count(fillers(rule, set)) >= count(set)
	}
}

# Those who fill one of these roles, and whose signature counts.
fillers(rule, set) := {signer.person |
	some signer in input.grants.signers
	signer.person in allowed_signers(rule)
	some number in set
	is_one_of(rule.signed_by.roles[number], signer)
}

# METADATA
# labels: {id: writ/roles}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	count(named_signers(rule)) > 0
	some number, role in rule.signed_by.roles
	count(fillers(rule, [number])) == 0
	lack := {
		"part": "signed_by", "code": "role-not-filled",
		"msg": sprintf("nobody has signed as %s", [role.name]),
		"hint": sprintf("let it be signed by one of %s", [words(array.concat(role.people, [sprintf("group %s", [g]) | some g in role.groups]))]),
	}
}

# METADATA
# labels: {id: writ/roles}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	some set in rule.signed_by.role_sets
	every number in set {
		count(fillers(rule, [number])) > 0
	}
	count(fillers(rule, set)) < count(set)
	roles := [rule.signed_by.roles[number].name | some number in set]
	lack := {
		"part": "signed_by", "code": "role-same-person",
		"msg": sprintf("as %s signed only %s; each role wants somebody else", [concat(" and ", roles), words(sort(fillers(rule, set)))]),
		"hint": "let somebody else of one of these roles sign, too",
	}
}
