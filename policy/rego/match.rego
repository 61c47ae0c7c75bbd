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

# METADATA
# labels: {id: writ/match}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not path_fits(rule)
	lack := {
		"part": "match", "code": "path-not-matched",
		"msg": sprintf("the path %s is not one of %s", [input.grants.path, words(rule.match.paths)]),
		"hint": "",
	}
}

# METADATA
# labels: {id: writ/match}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not kind_fits(rule)
	lack := {
		"part": "match", "code": "kind-not-matched",
		"msg": sprintf("the kind %s is not one of %s", [input.runbook.kind, words(rule.match.kinds)]),
		"hint": "",
	}
}

# METADATA
# labels: {id: writ/match}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not digest_fits(rule)
	lack := {
		"part": "match", "code": "digest-not-matched",
		"msg": "neither the file nor its payload has one of the digests that the rule names; of a file that runs with a manifest, the list must have one",
		"hint": "",
	}
}
