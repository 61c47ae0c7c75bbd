package policy_test

import (
	"strings"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// mutationCases are questions that show of the library what no other one shows.
func mutationCases() []decideCase {
	var all []decideCase
	for _, some := range [][]decideCase{signatureCases(), signerCases(), formatCases(), roleCases(), workerCases(), requesterCases(), parameterCases(), rangeCases(), timeCases(), approvalCases(), exemptionCases(), glassCases()} {
		all = append(all, some...)
	}
	return all
}

// with is restartRule with other parts.
func with(oldAndNew ...string) string { return strings.NewReplacer(oldAndNew...).Replace(restartRule) }

func same(*policy.Input) {}

// signed puts signatures in the place of the one of the good question.
func signed(list ...policy.Signature) func(*policy.Input) {
	return func(in *policy.Input) { in.Signatures = list }
}

func byManifest(s policy.Signature) policy.Signature {
	s.Format = "manifest"
	return s
}

func inProject(in *policy.Input) {
	in.Runbook.Manifest = &policy.Manifest{SHA256: runbook.DigestOf([]byte("list")), DocumentSHA256: runbook.DigestOf([]byte("doc")), Entry: "restart.sh", Files: 2}
}

func signatureCases() []decideCase {
	project := func(list ...policy.Signature) func(*policy.Input) {
		return func(in *policy.Input) { inProject(in); in.Signatures = list }
	}
	digest := func(text string) string {
		return with("paths: [\"/srv/runbooks/*.sh\"], kinds: [bash]", "sha256: ["+runbook.DigestOf([]byte(text)).String()+"]")
	}
	alice := signature("valid", aliceKey)
	named := func(name, kind string) policy.Signature {
		return withClaims(signature("valid", aliceKey), verifier.Claims{Name: name, Kind: kind})
	}
	otherPath := func(in *policy.Input) { in.Runbook.Path, in.Runbook.Kind = "/opt/restart.sh", "python" }
	return []decideCase{
		{"the signature of a manifest vouches for a project", restartRule, project(byManifest(alice)), ""},
		{"the signature of the file does not", restartRule, project(alice), "signature-not-valid"},
		{"a manifest's signature without a project is one like others", restartRule, signed(byManifest(alice)), ""},
		{"the file of a project is not valid", restartRule, func(in *policy.Input) { project(byManifest(alice))(in); in.Runbook.Verdict = "tampered" }, "signature-not-valid"},
		{"only invalid signatures", restartRule, signed(signature("untrusted", aliceKey)), "signature-not-valid"},
		{"the claims of the name and the kind fit", restartRule, signed(named("restart.sh", "bash")), ""},
		{"the claim of another name", restartRule, signed(named("stop.sh", "")), "claim-contradicts"},
		{"the claim of another kind", restartRule, signed(named("", "python")), "claim-contradicts"},
		{"the claim of another name, of a signature that is not valid", restartRule, func(in *policy.Input) {
			in.Signatures = []policy.Signature{alice, withClaims(signature("untrusted", bobKey), verifier.Claims{Name: "stop.sh"})}
		}, ""},
		{"the claims of a manifest", restartRule, project(byManifest(named("writ.manifest", "manifest"))), ""},
		{"the claims of a file for a manifest", restartRule, project(byManifest(named("restart.sh", "bash"))), "claim-contradicts"},
		{"the claims of a manifest for a file", restartRule, signed(named("writ.manifest", "manifest")), "claim-contradicts"},
		{"the claims of a file in what looks like a manifest's signature", restartRule, signed(byManifest(named("restart.sh", "bash"))), ""},
		{"not valid, and on another worker", restartRule, func(in *policy.Input) { in.Runbook.Verdict, in.Worker.Group = "tampered", "db" }, "signature-not-valid worker-not-allowed"},
		{"the claims of a file beside its manifest", restartRule, project(byManifest(alice), named("restart.sh", "bash")), ""},
		{"many identities in a claim", restartRule, func(in *policy.Input) {
			s := named("stop.sh", "python")
			s.Signer.IDs = []string{"a:1", "a:2", "a:3", "a:4", "a:5", "a:6", aliceKey}
			in.Signatures = []policy.Signature{s}
		}, "claim-contradicts"},
		{"the digest of a project", digest("list"), project(byManifest(alice)), ""},
		{"the digest of a file in a project", digest("file"), project(byManifest(alice)), "no-rule-matches"},
		{"the digest of a payload in a project", digest("payload"), project(byManifest(alice)), "no-rule-matches"},
		{"the digest of a project without one", digest("list"), same, "no-rule-matches"},
		{"the digest of a payload that is not valid", digest("payload"), func(in *policy.Input) {
			in.Runbook.Verdict, in.Runbook.PayloadSHA256 = "untrusted", runbook.Digest{}
		}, "no-rule-matches signature-not-valid"},
		{"neither the path nor the kind", restartRule + strings.TrimPrefix(with("restart", "other", "/srv", "/etc"), "rules:\n"), otherPath, "no-rule-matches"},
		{"one of six paths", with(`"/srv/runbooks/*.sh"`, `/a, /b, /c, /d, /e, "/srv/runbooks/*.sh"`), same, ""},
		{"a path without wildcards", with("/srv/runbooks/*.sh", "/srv/runbooks/restart.sh"), same, ""},
		{"another path without wildcards", with("/srv/runbooks/*.sh", "/srv/runbooks/restart_sh"), same, "no-rule-matches"},
		{"none of six paths", with(`"/srv/runbooks/*.sh"`, `/a, /b, /c, /d, /e, /f`), same, "no-rule-matches"},
		{"a rule that matches beside one that does not", restartRule + strings.TrimPrefix(with("restart", "other", "/srv", "/etc", "[web]", "[db]"), "rules:\n"), func(in *policy.Input) { in.Worker.Labels = map[string]string{} }, "worker-not-allowed"},
	}
}

func signerCases() []decideCase {
	alice, bob := signature("valid", aliceKey), signature("valid", bobKey)
	old, newer, none := verifier.Claims{Version: "1.3"}, verifier.Claims{Version: "1.10"}, verifier.Claims{}
	version := with("groups: [release]}", "groups: [release], min_version: \"1.4\"}")
	space := with("groups: [release]}", "groups: [release], namespace: prod}")
	both := with("groups: [release]}", "groups: [release], min_version: \"1.4\", namespace: prod}")
	two := with("groups: [release]}", "groups: [release], at_least: 2}")
	people := with("signed_by: {groups: [release]}", "signed_by: {people: [carol, bob]}")
	elsewhere := func(list ...policy.Signature) func(*policy.Input) {
		return func(in *policy.Input) { in.Signatures, in.Worker.Group = list, "db" }
	}
	return []decideCase{
		{"a newer version", version, signed(withClaims(alice, newer)), ""},
		{"an older version", version, signed(withClaims(alice, old)), "version-too-old"},
		{"no version", version, signed(withClaims(alice, none)), "version-missing"},
		{"an older version beside a newer one", version, signed(withClaims(alice, old), withClaims(alice, newer)), ""},
		{"an older version of one, none of another", version, signed(withClaims(alice, old), bob), "version-missing version-too-old"},
		{"an older version of somebody who may not sign", with("groups: [release]}", "people: [bob], min_version: \"1.4\"}"), signed(withClaims(alice, old)), "signer-not-allowed"},
		{"the namespace", space, signed(withClaims(alice, verifier.Claims{Namespace: "prod"})), ""},
		{"another namespace", space, signed(withClaims(alice, verifier.Claims{Namespace: "test"})), "namespace-not-matched"},
		{"no namespace", space, signed(alice), "namespace-not-matched"},
		{"any namespace", restartRule, signed(withClaims(alice, verifier.Claims{Namespace: "test"})), ""},
		{"version and namespace of different signatures", both, signed(withClaims(alice, newer), withClaims(alice, verifier.Claims{Namespace: "prod"})), "namespace-not-matched version-missing"},
		{"an older version and another namespace", both, signed(withClaims(alice, verifier.Claims{Version: "1", Namespace: "test"})), "namespace-not-matched version-too-old"},
		{"one of two with an older version", with("groups: [release]}", "groups: [release], at_least: 2, min_version: \"1.4\"}"), signed(withClaims(alice, newer), withClaims(bob, old)), "too-few-signers version-too-old"},
		{"two of two", two, signed(alice, bob), ""},
		{"none of two", two, signed(signature("valid", carolSPKI)), "signer-not-allowed too-few-signers"},
		{"one of two that does not count", with("groups: [release]}", "groups: [release], at_least: 2, namespace: prod}"), signed(alice), "namespace-not-matched too-few-signers"},
		{"one of the people", people, signed(bob), ""},
		{"none of the people", people, signed(alice), "signer-not-allowed"},
		{"nobody that is known, and somebody", people, signed(alice, signature("valid", "openpgp:FF")), "signer-not-allowed"},
		{"an older version of one more than is needed, on another worker", version, elsewhere(withClaims(alice, newer), withClaims(bob, old)), "worker-not-allowed"},
		{"no version of one more than is needed, on another worker", version, elsewhere(withClaims(alice, newer), bob), "worker-not-allowed"},
		{"no namespace of one more than is needed, on another worker", space, elsewhere(withClaims(alice, verifier.Claims{Namespace: "prod"}), bob), "worker-not-allowed"},
		{"an older version of one who counts, and one is missing", with("groups: [release]}", "groups: [release], at_least: 2, min_version: \"1.4\"}"), signed(withClaims(alice, newer), withClaims(alice, old)), "too-few-signers"},
	}
}

func roleCases() []decideCase {
	three := strings.NewReplacer("reviewer]", "reviewer, chief]", "roles:\n", "roles:\n  chief: {people: [alice, carol]}\n").Replace(rolesRule)
	ids := func(list ...string) func(*policy.Input) {
		return func(in *policy.Input) {
			in.Signatures = nil
			for _, id := range list {
				in.Signatures = append(in.Signatures, signature("valid", id))
			}
		}
	}
	return []decideCase{
		{"two people for two roles", rolesRule, ids(aliceKey, bobKey), ""},
		{"one person for two roles", rolesRule, ids(aliceKey), "role-same-person too-few-signers"},
		{"nobody of a role", rolesRule, ids(carolSPKI), "signer-not-allowed too-few-signers"},
		{"a role that nobody fills", strings.Replace(rolesRule, "groups: [release]", "people: [carol]", 1), ids(aliceKey, bobKey), "role-not-filled"},
		{"a role of groups that nobody fills", strings.Replace(rolesRule, "{people: [alice], groups", "{people: [carol], groups", 1), ids(aliceKey), "role-not-filled too-few-signers"},
		{"three roles and two people", three, ids(aliceKey, bobKey), "role-same-person too-few-signers"},
		{"three roles and one person", three, ids(aliceKey), "role-same-person role-same-person role-same-person role-same-person too-few-signers"},
		{"three roles and three people", three, ids(aliceKey, bobKey, carolSPKI), ""},
		{"old versions fill no role", strings.Replace(rolesRule, "reviewer]}", "reviewer], min_version: \"2\"}", 1), ids(aliceKey, bobKey), "role-not-filled role-not-filled version-missing version-missing"},
		{"roles and one more", strings.NewReplacer("reviewer]}", "reviewer], at_least: 3}", "people: [alice]", "people: [alice, carol]").Replace(rolesRule), ids(aliceKey, bobKey), "too-few-signers"},
	}
}

func workerCases() []decideCase {
	const groups = "workers: {groups: [web], labels: {env: [test, stage]}}"
	ids := with(groups, "workers: {ids: [w1, w2]}")
	labels := with(groups, "workers: {labels: {env: [test, stage], zone: a}}")
	identities := with(groups, "workers: {identities: [\"entra:11111111-1111-1111-1111-111111111111:22222222-2222-2222-2222-222222222222\"]}")
	identity := func(id string) func(*policy.Input) {
		return func(in *policy.Input) { in.Worker.Identity = id }
	}
	return []decideCase{
		{"any worker", with(groups, "workers: {any: true}"), func(in *policy.Input) { in.Worker.Group, in.Worker.ID = "", "" }, ""},
		{"a worker of these ids", ids, same, ""},
		{"a worker of another id", ids, func(in *policy.Input) { in.Worker.ID = "w9" }, "worker-not-allowed"},
		{"a worker without an id", ids, func(in *policy.Input) { in.Worker.ID = "" }, "worker-not-allowed"},
		{"a worker of another id without a group", ids, func(in *policy.Input) { in.Worker.ID, in.Worker.Group = "w9", "" }, "worker-not-allowed"},
		{"a worker of these ids and without the group", with(groups, "workers: {ids: [w1], groups: [db]}"), same, "worker-not-allowed"},
		{"a worker of the group and another id", with(groups, "workers: {ids: [w7], groups: [web]}"), same, "worker-not-allowed"},
		{"a worker of all labels", labels, func(in *policy.Input) { in.Worker.Labels["zone"] = "a" }, ""},
		{"a worker of one label", labels, same, "worker-not-allowed"},
		{"a worker of another group and label", restartRule, func(in *policy.Input) { in.Worker.Group, in.Worker.Labels = "db", map[string]string{} }, "worker-not-allowed worker-not-allowed"},
		{"a worker of the identity", identities, identity("entra:11111111-1111-1111-1111-111111111111:22222222-2222-2222-2222-222222222222"), ""},
		{"a worker of another identity", identities, identity("entra:11111111-1111-1111-1111-111111111111:33333333-3333-3333-3333-333333333333"), "worker-identity-not-allowed"},
		{"a worker without an identity", identities, same, "worker-identity-not-allowed"},
		{"a worker of one of six groups", with("[web]", "[a, b, c, d, e, f]"), same, "worker-not-allowed"},
		{"a worker without one of six groups", with("[web]", "[a, b, c, d, e, f]"), func(in *policy.Input) { in.Worker.Group = "" }, "worker-group-missing"},
	}
}

func requesterCases() []decideCase {
	const groups = "requested_by: {groups: [operators]}"
	people := with(groups, "requested_by: {people: [alice, carol]}")
	assured := with(groups, "requested_by: {groups: [operators], assurance: [token]}")
	caller := func(id string, complete bool) func(*policy.Input) {
		return func(in *policy.Input) {
			in.Caller.ID, in.Caller.Groups, in.Caller.GroupsComplete = id, []string{}, complete
		}
	}
	return []decideCase{
		{"anyone", with(groups, "requested_by: {anyone: true}"), caller("os:eve", false), ""},
		{"one of the people asks", people, caller("os:alice", true), ""},
		{"another of the people asks", people, caller("os:bob", true), "requester-not-allowed"},
		{"somebody unknown asks, of whom not all groups are known", people, caller("os:eve", false), "requester-not-allowed"},
		{"somebody unknown asks, and groups are wanted", with(groups, "requested_by: {people: [alice], groups: [operators]}"), caller("os:eve", false), "groups-incomplete"},
		{"somebody who is not known in the way that is wanted", assured, same, "assurance-not-allowed"},
		{"somebody else who is not known in the way that is wanted", assured, caller("os:eve", true), "assurance-not-allowed requester-not-allowed"},
		{"somebody who is known in the way that is wanted", assured, func(in *policy.Input) { in.Caller.Assurance = "token" }, ""},
		{"anyone who is known in some way", with(groups, "requested_by: {anyone: true, assurance: [peercred]}"), caller("os:eve", true), ""},
		{"somebody who may, of whom not all groups are known, on another worker", restartRule, func(in *policy.Input) {
			in.Caller.GroupsComplete, in.Worker.Group = false, "db"
		}, "worker-not-allowed"},
	}
}

func parameterCases() []decideCase {
	typed := with("Count: {type: int}", "Count: {type: int}\n      Ratio: {type: number}\n      Force: {type: bool}\n      \"1\": {enum: [a, b]}\n      \"*\": {type: int}")
	give := func(name, value string) func(*policy.Input) {
		return func(in *policy.Input) { in.Parameters[name] = value }
	}
	none := strings.TrimSuffix(strings.Split(restartRule, "    parameters:\n")[0], "\n") + "\n"
	return []decideCase{
		{"a number", typed, give("Ratio", "0.5"), ""},
		{"no number", typed, give("Ratio", "1e9"), "parameter-type"},
		{"no number at all", typed, give("Ratio", "x"), "parameter-type"},
		{"true", typed, give("Force", "true"), ""},
		{"no truth", typed, give("Force", "True"), "parameter-type"},
		{"a number for the truth", typed, give("Force", "3"), "parameter-type"},
		{"a fraction for a whole number", typed, give("Count", "0.5"), "parameter-type"},
		{"the truth for a number", typed, give("Count", "true"), "parameter-type"},
		{"a position that is named", typed, give("1", "b"), ""},
		{"a position that is named, with what only others may have", typed, give("1", "7"), "parameter-enum"},
		{"a position of all others", typed, give("2", "7"), ""},
		{"a position of all others, of another type", typed, give("2", "b"), "parameter-type"},
		{"a name that is not one of all others", typed, give("Other", "7"), "parameter-unknown"},
		{"a mode of the list", restartRule, give("Mode", "soft"), ""},
		{"no parameters are allowed, and none is given", none, func(in *policy.Input) { in.Parameters = map[string]string{} }, ""},
		{"no parameters are allowed", none, same, "parameter-unknown"},
		{"a large value without a pattern", with("Count: {type: int}", "Count: {type: string}"), give("Count", strings.Repeat("7", 1<<20-100)), ""},
		{"as large as a pattern may be matched with", with("Count: {type: int}", "Count: {pattern: \"7*\"}"), give("Count", strings.Repeat("7", 32<<10)), ""},
		{"a large value with a pattern", with("Count: {type: int}", "Count: {pattern: \"7*\"}"), give("Count", strings.Repeat("7", 32<<10+1)), "parameter-pattern"},
		{"a large value of a type", typed, give("Count", strings.Repeat("7", 1<<20-100)), "parameter-type"},
		{"every parameter lacks something", restartRule, func(in *policy.Input) {
			in.Parameters = map[string]string{"Service": "NGINX", "Count": "x", "Mode": "x"}
		}, "parameter-enum parameter-pattern parameter-type"},
	}
}

func rangeCases() []decideCase {
	ranged := func(about string) string { return with("Count: {type: int}", "Count: "+about) }
	count := func(value string) func(*policy.Input) {
		return func(in *policy.Input) { in.Parameters["Count"] = value }
	}
	const both = "{type: int, range: {min: 1, max: 10}}"
	return []decideCase{
		{"within the range", ranged(both), count("5"), ""},
		{"below the range", ranged(both), count("0"), "parameter-range"},
		{"above the range", ranged(both), count("11"), "parameter-range"},
		{"above the lowest", ranged("{type: int, range: {min: 1}}"), count("11"), ""},
		{"below the lowest", ranged("{type: int, range: {min: 1}}"), count("0"), "parameter-range"},
		{"below the highest", ranged("{type: int, range: {max: 10}}"), count("-3"), ""},
		{"above the highest", ranged("{type: int, range: {max: 10}}"), count("11"), "parameter-range"},
		{"a secret that is not within its range", ranged("{type: int, range: {max: 10}, secret: true}"), count("11"), "parameter-range"},
		{"a secret that is not of its form", ranged("{pattern: \"[a-z]\", enum: [a, b], secret: true}"), count("11"), "parameter-enum parameter-pattern"},
	}
}

func timeCases() []decideCase {
	// The good question is asked on a Sunday, 12:00 UTC, 13:00 in Oslo.
	hours := func(list string) string { return with("    parameters:\n", "    hours: ["+list+"]\n    parameters:\n") }
	const oslo = "{zone: Europe/Oslo, days: [sun], from: \"13:00\", to: \"14:00\"}"
	at := func(minutes int) func(*policy.Input) {
		return func(in *policy.Input) { in.NowNS += int64(time.Duration(minutes) * time.Minute) }
	}
	freeze := func(more string) string {
		return restartRule + "freezes: [{name: f, from: \"2026-11-01\", to: \"2026-11-30\", zone: UTC, reason: x" + more + "}]\n"
	}
	return []decideCase{
		{"within the hours", hours(oslo), same, ""},
		{"at the last minute of the hours", hours(oslo), at(59), ""},
		{"at the end of the hours", hours(oslo), at(60), "outside-hours"},
		{"before the hours", hours(oslo), at(-1), "outside-hours"},
		{"on another day", hours(oslo), at(24 * 60), "outside-hours"},
		{"within the second of the hours", hours("{zone: UTC, days: [mon], from: \"00:00\", to: \"24:00\"}, " + oslo), same, ""},
		{"in a freeze", freeze(""), same, "freeze"},
		{"after a freeze", freeze(""), at(60 * 24 * 30), ""},
		{"in a freeze of other runbooks", freeze(", match: {paths: [\"/opt/**\"]}"), same, ""},
		{"in a freeze of another kind of runbooks", freeze(", match: {kinds: [python]}"), same, ""},
		{"in a freeze of other workers", freeze(", workers: {groups: [db]}"), same, ""},
		{"in a freeze of this runbook and worker", freeze(", match: {paths: [\"/srv/**\"]}, workers: {groups: [web]}"), same, "freeze"},
	}
}

func approvalCases() []decideCase {
	rule := func(approvedBy string) string {
		return with("    parameters:\n", "    approved_by: "+approvedBy+"\n    parameters:\n")
	}
	asked := func(approvals ...policy.Approval) func(*policy.Input) {
		return func(in *policy.Input) { *in = requestedByBob(approvals...) }
	}
	old := approvalBy(aliceKey)
	old.ExpiresNS = good().NowNS
	one, two := rule("{groups: [release], people: [carol]}"), rule("{groups: [release], people: [carol], at_least: 2}")
	not := rule("{groups: [release], not_signers: true}")
	return []decideCase{
		{"approved by one", one, asked(approvalBy(aliceKey)), ""},
		{"approved by one of the people", one, asked(approvalBy(carolSPKI)), ""},
		{"approved by nobody", one, asked(), "approval-missing"},
		{"approved by the requester", one, asked(approvalBy(bobKey)), "approval-missing"},
		{"approved too long ago", one, asked(old), "approval-missing"},
		{"approved by one of two", two, asked(approvalBy(aliceKey), approvalBy(bobKey)), "too-few-approvals"},
		{"approved by one of two, and no more", two, asked(approvalBy(aliceKey)), "too-few-approvals"},
		{"approved by two", two, asked(approvalBy(aliceKey), approvalBy(carolSPKI)), ""},
		{"approved by somebody who may not", rule("{people: [carol]}"), asked(approvalBy(aliceKey)), "approval-missing"},
		{"approved by the signer, who may not", not, asked(approvalBy(aliceKey)), "approval-missing"},
		{"approved by somebody else than the signer", rule("{people: [alice, carol], not_signers: true}"), asked(approvalBy(carolSPKI)), ""},
		{"requested by somebody unknown", one, func(in *policy.Input) { in.Approvals = []policy.Approval{approvalBy(aliceKey)} }, "requester-unknown"},
		{"requested by somebody unknown, and nobody approved", one, same, "approval-missing requester-unknown"},
	}
}

func exemptionCases() []decideCase {
	label := func(in *policy.Input) { in.Worker.Labels["env"] = "prod" }
	two := with("groups: [release]}", "groups: [release], at_least: 2, min_version: \"2\"}")
	frozen := restartRule + "freezes: [{name: f, from: \"2026-01-01\", to: \"2026-12-31\", zone: UTC, reason: x}]\n"
	other := strings.TrimPrefix(with("restart", "second", "env: [test, stage]", "env: [prod]", "Mode: {enum: [soft, hard]}", "Mode: {enum: [x]}"), "rules:\n")
	python := strings.Replace(other, "[bash]", "[python]", 1)
	more := strings.Replace(other, "Mode: {enum: [x]}", "Mode: {enum: [x]}\n      Zone: {type: string, required: true}", 1)
	wrongMode := func(in *policy.Input) { in.Parameters["Mode"] = "y" }
	lacksMode := func(in *policy.Input) { label(in); in.Parameters["Mode"] = "y" }
	return []decideCase{
		{"exempted from the only lack", restartRule + exempt("worker-not-allowed"), label, ""},
		{"exempted from another code", restartRule + exempt("groups-incomplete"), label, "worker-not-allowed"},
		{"exempted from one of two lacks", restartRule + exempt("worker-not-allowed"), lacksMode, "parameter-enum"},
		{"exempted from two of two lacks", restartRule + exempt("worker-not-allowed, parameter-enum"), lacksMode, ""},
		{"exempted from one of two lacks of a part", two + exempt("version-missing"), same, "too-few-signers"},
		{"exempted from nothing, because the rule holds", restartRule + exempt("worker-not-allowed"), same, ""},
		{"exempted from a freeze", frozen + exempt("freeze"), same, ""},
		{"exempted from something else than a freeze", frozen + exempt("worker-not-allowed"), same, "freeze"},
		{"exempted from a freeze that is not", restartRule + exempt("freeze"), same, ""},
		{"exempted on another worker", restartRule + exempt("worker-not-allowed"), func(in *policy.Input) { in.Worker.Group = "db" }, "worker-not-allowed"},
		{"exempted for another runbook", restartRule + strings.Replace(exempt("worker-not-allowed"), "*.sh", "?.sh", 1), label, "worker-not-allowed"},
		{"exempted by the requester", restartRule + exempt("worker-not-allowed"), func(in *policy.Input) { label(in); in.Caller.ID = "os:bob" }, "worker-not-allowed"},
		{"exempted, and another rule holds", restartRule + other + exempt("worker-not-allowed"), func(in *policy.Input) { label(in); in.Parameters["Mode"] = "x" }, ""},
		{"exempted, and another rule lacks more", restartRule + other + exempt("worker-not-allowed, parameter-pattern"), func(in *policy.Input) { label(in); in.Parameters["Mode"] = "soft" }, ""},
		{"exempted where no rule matches", with("/srv/runbooks/*.sh", "/opt/*.sh") + exempt("worker-not-allowed"), label, "no-rule-matches"},
		{"exempted from a freeze of another kind of runbooks", restartRule + "freezes: [{name: f, from: \"2026-01-01\", to: \"2026-12-31\", zone: UTC, reason: x, match: {kinds: [python]}}]\n" + exempt("freeze"), same, ""},
		{"exempted from what another rule lacks, while one holds", restartRule + other + exempt("worker-not-allowed"), same, ""},
		{"exempted from what a rule lacks that does not match", restartRule + python + exempt("worker-not-allowed"), wrongMode, "parameter-enum"},
		{"exempted from what a rule lacks that counts, and one does not", restartRule + more + exempt("worker-not-allowed, parameter-enum"), func(in *policy.Input) {
			in.Worker.Labels["env"], in.Parameters["Mode"] = "none", "soft"
		}, ""},
	}
}

func glassCases() []decideCase {
	section := func(oldAndNew ...string) string {
		return closedRule + strings.NewReplacer(oldAndNew...).Replace(glassSection)
	}
	asked := func(glass ...policy.Approval) func(*policy.Input) {
		return func(in *policy.Input) { *in = requestedByBob(glass...) }
	}
	stranger := func(in *policy.Input) {
		g := glassBy(aliceKey)
		g.Requester = in.Caller.ID
		in.Approvals = []policy.Approval{g}
	}
	old := glassBy(aliceKey)
	old.ExpiresNS = good().NowNS
	const refused = "break-glass-refused requester-not-allowed"
	return []decideCase{
		{"the glass is broken by one", section(), asked(glassBy(aliceKey)), ""},
		{"the glass is broken by one, and by the requester too", section(), asked(glassBy(aliceKey), glassBy(bobKey)), ""},
		{"the glass is broken by a group", section("people: [alice, carol, bob]", "groups: [release]"), asked(glassBy(aliceKey)), ""},
		{"the glass is broken by nobody", section(), asked(), "requester-not-allowed"},
		{"the glass is broken by the requester", section(), asked(glassBy(bobKey)), refused},
		{"the glass is broken by the requester and another", section("bob]}", "bob], at_least: 2}"), asked(glassBy(bobKey), glassBy(aliceKey)), refused},
		{"the glass is broken by one of two", section("bob]}", "bob], at_least: 2}"), asked(glassBy(aliceKey)), refused},
		{"the glass is broken by two", section("bob]}", "bob], at_least: 2}"), asked(glassBy(aliceKey), glassBy(carolSPKI)), ""},
		{"the glass was broken too long ago", section(), asked(old), refused},
		{"the glass is broken by somebody who may not", section("alice, carol, bob", "carol"), asked(glassBy(aliceKey)), refused},
		{"the glass is broken for somebody who may not ask", section("groups: [operators]", "people: [carol]"), asked(glassBy(aliceKey)), refused},
		{"the glass is broken for one of the people", section("groups: [operators]", "people: [bob]"), asked(glassBy(aliceKey)), ""},
		{"the glass is broken for somebody unknown of a group", section(), stranger, refused},
		{"the glass need not be broken", restartRule + glassSection, asked(glassBy(aliceKey)), ""},
		{"the glass need not be broken, and that would not suffice", restartRule + glassSection, asked(old), ""},
	}
}
