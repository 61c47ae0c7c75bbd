# METADATA
# title: The gate
# description: |
#   Decides on one input. A run is allowed if nothing denies it and at least one
#   rule of grants.yaml holds in every part. The same conditions give the
#   decision, its reasons and its explanation.
# scope: package
package writ.gate

# A yes that needs no reasons is found here in less time. It says no to all that the
# decision could answer otherwise, and then the decision is asked.
plain := {
	"allow": plainly,
	"deny": [],
	"exemptions": [],
	"glass": [],
	"glass_approvers": [],
	"lifted": [],
	"rules": holding,
	"user": data.writ.users.results,
}

default plainly := false

plainly if {
	count(holding) > 0
	signature_valid
	input.grants.denied == {}
	not contradicted
	not frozen
}

contradicted if {
	some signature in input.signatures
	signature.verdict == "valid"
	contradicts(signature)
}

holding contains rule.name if {
	some rule in input.grants.rules
	holds(rule)
}

holds(rule) if {
	match_holds(rule)
	workers_hold(rule)
	signed_by_holds(rule)
	requested_by_holds(rule)
	hours_hold(rule)
	approved_by_holds(rule)
	parameters_hold(rule)
}

signature_valid if {
	input.runbook.verdict == "valid"
	input.runbook.payload_sha256 != ""
	some signature in input.signatures
	signature.verdict == "valid"
	not signature.nested
	vouches(signature)
}

# In a project the signature of the manifest, which covers all that would run.
vouches(_) if not input.runbook.manifest

vouches(signature) if signature.format == "manifest"

contradicts(signature) if signature.claims.name != signs(signature).name

contradicts(signature) if signature.claims.kind != signs(signature).kind

# What a signature stands on: the runbook, or the manifest of its project.
signs(signature) := {"name": "writ.manifest", "kind": "manifest"} if {
	input.runbook.manifest
	signature.format == "manifest"
} else := {"name": input.runbook.name, "kind": input.runbook.kind}
