package writ.gate

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
