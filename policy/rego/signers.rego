package writ.gate

# Signers are people, each counted once however many keys they signed with. One
# of their signatures must claim all that the rule wants.
allowed_signers(rule) := {signer.person |
	some signer in input.grants.signers
	may_sign(rule, signer)
	some claims in signer.claims
	version_fits(rule, claims)
	namespace_fits(rule, claims)
	format_fits(rule, claims)
}

# Lists of numbers are compared number by number, and the empty list, of a
# signature without a version and of a rule that wants none, comes first.
version_fits(rule, claims) if claims.numbers >= rule.signed_by.min_numbers

namespace_fits(rule, _) if rule.signed_by.namespace == ""

namespace_fits(rule, claims) if claims.namespace == rule.signed_by.namespace

may_sign(rule, signer) if is_one_of(rule.signed_by, signer)

# Of the people and groups of a part of a rule, or of a role.
is_one_of(named, signer) if signer.person in named.people

is_one_of(named, signer) if {
	some group in signer.groups
	group in named.groups
}

signed_by_holds(rule) if {
	rule.signed_by.at_least >= 1
	count(allowed_signers(rule)) >= rule.signed_by.at_least
	roles_filled(rule)
	formats_complete(rule)
}
