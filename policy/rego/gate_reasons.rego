package writ.gate

# METADATA
# entrypoint: true
decision := {
	"allow": allow,
	"deny": deny,
	"exemptions": exemptions,
	"glass": glass.statements,
	"glass_approvers": glass.approvers,
	"lifted": lifted,
	"rules": granted,
	"user": data.writ.users.results,
}

default allow := false

allow if {
	count(deny) == 0
	count(granted) > 0
}

# The rules that hold in every part, or else those that count by an exemption.
granted := holding if count(holding) > 0

granted := exempted if count(holding) == 0

# METADATA
# labels: {id: writ/signature}
deny contains reason if {
	not signature_valid
	reason := {
		"code": "signature-not-valid",
		"msg": sprintf("the verdict on %s is %q, not \"valid\"", [judged.what, input.runbook.verdict]),
		"hint": judged.hint,
		"rule": "writ/signature",
	}
}

judged := {
	"what": "the file with all others of its project",
	"hint": "writ verify with the same --manifest names what is wrong; only the sources, listed and signed again by somebody who may, can run",
} if {
	input.runbook.manifest
} else := {
	"what": "the file",
	"hint": "look at the file with writ inspect; only its source, signed again by somebody who may, can run",
}

# METADATA
# labels: {id: writ/denied}
deny contains reason if {
	some digest, why in input.grants.denied
	reason := {
		"code": "denied-digest",
		"msg": sprintf("sha-256 %s is on the list of denied digests: %s", [digest, why]),
		"hint": "",
		"rule": "writ/denied",
	}
}

# METADATA
# labels: {id: writ/claims}
# description: A signature that was made for one runbook does not vouch for another.
deny contains reason if {
	some signature in input.signatures
	signature.verdict == "valid"
	contradicts(signature)
	reason := {
		"code": "claim-contradicts",
		"msg": sprintf("the signature by %s is for the runbook %s, kind %s; this one is %s, kind %s", [
			words(signature.signer.ids),
			object.get(signature.claims, "name", "of any name"), object.get(signature.claims, "kind", "any"),
			signs(signature).name, signs(signature).kind,
		]),
		"hint": "give the file the name that was signed, or have it signed as what it is now",
		"rule": "writ/claims",
	}
}

# METADATA
# labels: {id: writ/no-rule}
deny contains reason if {
	not any_match
	reason := {
		"code": "no-rule-matches",
		"msg": sprintf("no rule of grants.yaml matches the %s runbook %s", [input.runbook.kind, input.grants.path]),
		"hint": "rules name paths, kinds and digests; writ policy explain shows what each of them wants",
		"rule": "writ/no-rule",
	}
}

any_match if {
	some rule in input.grants.rules
	match_holds(rule)
}

# METADATA
# labels: {id: writ/rules}
# description: Without a rule that holds, say of each rule that matches what it lacks.
deny contains reason if {
	count(granted) == 0
	some rule in input.grants.rules
	match_holds(rule)
	some lack in lacks[rule.name]
	not secondary(lack)
	not lack.code in exempted_codes
	reason := {"code": lack.code, "msg": lack.msg, "hint": lack.hint, "rule": rule.name}
}

# An invalid signature has no signers: saying so once is enough.
secondary(lack) if {
	lack.part == "signed_by"
	not signature_valid
}

# What explain shows: every part of every rule.
explanation := [outcome |
	some rule in input.grants.rules
	outcome := {"name": rule.name, "holds": holds_or_not(rule), "parts": [shown |
		some [part, yes] in parts(rule)
		shown := {"part": part, "holds": yes, "lacks": lacks_of(rule, part)}
	]}
]

# Every part of a rule, and whether it holds.
parts(rule) := [
	["match", match_or_not(rule)],
	["workers", workers_or_not(rule)],
	["signed_by", signed_by_or_not(rule)],
	["requested_by", requested_by_or_not(rule)],
	["hours", hours_or_not(rule)],
	["approved_by", approved_by_or_not(rule)],
	["parameters", parameters_or_not(rule)],
]

default holds_or_not(_) := false

holds_or_not(rule) if holds(rule)

default match_or_not(_) := false

match_or_not(rule) if match_holds(rule)

default workers_or_not(_) := false

workers_or_not(rule) if workers_hold(rule)

default signed_by_or_not(_) := false

signed_by_or_not(rule) if signed_by_holds(rule)

default requested_by_or_not(_) := false

requested_by_or_not(rule) if requested_by_holds(rule)

default hours_or_not(_) := false

hours_or_not(rule) if hours_hold(rule)

default approved_by_or_not(_) := false

approved_by_or_not(rule) if approved_by_holds(rule)

default parameters_or_not(_) := false

parameters_or_not(rule) if parameters_hold(rule)

lacks_of(rule, part) := {lack | some lack in lacks[rule.name]; lack.part == part}

# The first few of a list, for a message.
words(list) := concat(", ", list) if count(list) <= 5

words(list) := sprintf("%s and %d more", [concat(", ", array.slice(list, 0, 5)), count(list) - 5]) if count(list) > 5
