package writ.gate

# A list that was left out of the rule lets any pass; the parser sees to it that
# one of them is there.
match_holds(rule) if {
	path_fits(rule)
	kind_fits(rule)
	digest_fits(rule)
}

path_fits(rule) if rule.match.any_path == true

# A path without wildcards is compared as it is.
path_fits(rule) if input.grants.path in rule.match.exact

path_fits(rule) if {
	some pattern in rule.match.patterns
	regex.match(pattern, input.grants.path)
}

kind_fits(rule) if rule.match.any_kind == true

kind_fits(rule) if input.runbook.kind in rule.match.kinds

digest_fits(rule) if rule.match.any_digest == true

digest_fits(rule) if {
	not input.runbook.manifest
	input.runbook.sha256 in rule.match.sha256
}

# A file of a project runs with all others: only the digest of the whole says what
# runs.
digest_fits(rule) if {
	input.runbook.manifest.sha256 != ""
	input.runbook.manifest.sha256 in rule.match.sha256
}

digest_fits(rule) if {
	not input.runbook.manifest
	input.runbook.payload_sha256 != ""
	input.runbook.payload_sha256 in rule.match.sha256
}
