package writ.gate

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
