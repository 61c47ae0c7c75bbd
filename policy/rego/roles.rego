package writ.gate

# Each role is filled by somebody else: any number of the roles together have at
# least as many people who fill one of them.
roles_filled(rule) if rule.signed_by.any_role == true

roles_filled(rule) if {
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
