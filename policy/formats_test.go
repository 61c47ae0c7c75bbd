package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/verifier"
)

func ofFormat(format string, s policy.Signature) policy.Signature {
	s.Format = format
	return s
}

func formatRule(signedBy string) string {
	return strings.Replace(restartRule, "signed_by: {groups: [release]}", "signed_by: {"+signedBy+"}", 1)
}

func formatCases() []decideCase {
	alice, bob := signature("valid", aliceKey), signature("valid", bobKey)
	inside, bundle := ofFormat("authenticode", signature("valid", aliceCert)), ofFormat("sigstore", signature("valid", annBundle))
	own := ofFormat("authenticode", signature("valid", annCert))
	both := formatRule("people: [alice, ann], formats: {all: [authenticode, sigstore]}")
	either := formatRule("people: [alice, ann], formats: {any: [authenticode, sigstore]}")
	two := formatRule("people: [alice, ann], at_least: 2, formats: {all: [authenticode, sigstore]}")
	cleartext := formatRule("groups: [release], formats: {any: [clearsign]}")
	prod := verifier.Claims{Version: "2", Namespace: "prod"}
	openpgp := formatRule("groups: [release], min_version: \"2\", namespace: prod, formats: {all: [clearsign, detached]}")
	detached := func(s policy.Signature) policy.Signature { return ofFormat("detached", s) }
	project := func(list ...policy.Signature) func(*policy.Input) {
		return func(in *policy.Input) { inProject(in); in.Signatures = list }
	}
	roles := strings.NewReplacer("rules:\n", "roles:\n  author: {people: [alice]}\n  builder: {people: [ann]}\nrules:\n").
		Replace(formatRule("roles: [author, builder], formats: {all: [authenticode, sigstore]}"))
	return []decideCase{
		{"both formats, of two people", both, signed(inside, bundle), ""},
		{"both formats, of one person", both, signed(own, bundle), ""},
		{"the first format of two", both, signed(inside), "format-missing"},
		{"the second format of two", both, signed(bundle), "format-missing"},
		{"the second format, and not validly", both, signed(inside, ofFormat("sigstore", signature("untrusted", annBundle))), "format-missing"},
		{"the second format by somebody who may not", both, signed(inside, ofFormat("sigstore", bob)), "format-missing"},
		{"one format of two, and one that does not count", both, signed(inside, alice), "format-missing"},
		{"a format that does not count alone", both, signed(alice), "format-missing format-not-matched"},
		{"one of either format", either, signed(bundle), ""},
		{"the other of either format", either, signed(inside), ""},
		{"neither format", either, signed(alice), "format-not-matched"},
		{"neither format, by nobody who may", either, signed(bob), "signer-not-allowed"},
		{"each of both formats, by nobody who may", both, signed(bob), "format-missing signer-not-allowed"},
		{"two people, in both formats", two, signed(inside, bundle), ""},
		{"two people, one of them in a format that does not count", formatRule("people: [ann, bob], at_least: 2, formats: {all: [authenticode, sigstore]}"), signed(own, bundle, bob), "format-not-matched too-few-signers"},
		{"one person for two, in both formats", two, signed(own, bundle), "too-few-signers"},
		{"a bundle that names its signer in two ways", both, signed(inside, ofFormat("sigstore", signature("valid", annBundle, annNamed))), ""},
		{"roles, in both formats", roles, signed(inside, bundle), ""},
		{"roles, and one signed in another format", roles, signed(alice, bundle), "format-missing format-not-matched role-not-filled too-few-signers"},
		{"roles, of which nobody signed in one format", roles, signed(inside), "format-missing role-not-filled too-few-signers"},
		{"the claims in both formats", openpgp, signed(withClaims(alice, prod), detached(withClaims(bob, prod))), ""},
		{"no claims in one of both formats", openpgp, signed(withClaims(alice, prod), detached(alice)), "format-missing"},
		{"an older version in one of both formats", openpgp, signed(withClaims(alice, prod), detached(withClaims(alice, verifier.Claims{Version: "1", Namespace: "prod"}))), "format-missing"},
		{"another namespace in one of both formats", openpgp, signed(withClaims(alice, prod), detached(withClaims(alice, verifier.Claims{Version: "2", Namespace: "test"}))), "format-missing"},
		{"the one format that counts", cleartext, signed(alice), ""},
		{"another than the one that counts", cleartext, signed(inside), "format-not-matched"},
		{"another format beside the one that counts", cleartext, signed(alice, inside), ""},
		{"another format of one more than is needed, on another worker", cleartext, func(in *policy.Input) {
			in.Signatures, in.Worker.Group = []policy.Signature{alice, detached(bob)}, "db"
		}, "worker-not-allowed"},
		{"the format of a file, in a project", cleartext, project(byManifest(alice), alice), "format-not-matched"},
		{"the format of a manifest, in a project", formatRule("groups: [release], formats: {all: [manifest]}"), project(byManifest(alice), alice), ""},
		{"the format of a manifest, outside of one", formatRule("groups: [release], formats: {any: [manifest]}"), signed(alice), "format-not-matched"},
	}
}

func TestFormatsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ signedBy, want string }{
		"an unknown format":               {"people: [alice], formats: {any: [authenticod]}", `rules[0].signed_by.formats.any[0]: "authenticod": unknown format; did you mean "authenticode"?`},
		"a format that is far from any":   {"people: [alice], formats: {all: [pdf]}", "unknown format; known are authenticode, clearsign, detached, manifest, sigstore"},
		"a format in capitals":            {"people: [alice], formats: {all: [Authenticode]}", `did you mean "authenticode"?`},
		"no formats":                      {"people: [alice], formats: {all: []}", "rules[0].signed_by.formats.all: is empty"},
		"neither all nor any":             {"people: [alice], formats: {}", "rules[0].signed_by.formats: names none: give all or any"},
		"all and any":                     {"people: [alice], formats: {all: [clearsign], any: [authenticode]}", "rules[0].signed_by.formats.any: stands beside all: choose one"},
		"a list alone":                    {"people: [alice], formats: [authenticode]", "rules[0].signed_by.formats: want a mapping"},
		"another key":                     {"people: [alice], formats: {every: [authenticode]}", "rules[0].signed_by.formats.every: unknown key"},
		"a format twice":                  {"people: [alice], formats: {all: [clearsign, clearsign]}", `"clearsign" stands in the list twice`},
		"a manifest's and a file's":       {"people: [alice], formats: {all: [clearsign, manifest]}", "in a project only the signatures of its manifest count, and elsewhere there are none: it could never be met"},
		"a format without claims":         {"people: [alice], min_version: \"1\", formats: {all: [authenticode, clearsign]}", "rules[0].signed_by.formats.all: min_version and namespace are never claimed in the format authenticode: it could never be met"},
		"formats without claims":          {"people: [alice, ann], namespace: prod, formats: {any: [sigstore, authenticode]}", "never claimed in the format authenticode or sigstore"},
		"a format that nobody can sign":   {"people: [alice], formats: {all: [authenticode, sigstore]}", "rules[0].signed_by.formats.all: nobody who may sign has an identity for the format sigstore: it could never be met"},
		"formats that nobody can sign":    {"people: [carol], formats: {any: [sigstore, clearsign]}", "nobody who may sign has an identity for the format clearsign or sigstore"},
		"formats that no group can sign":  {"groups: [release], formats: {all: [sigstore]}", "nobody who may sign has an identity for the format sigstore"},
		"formats that no nested one can":  {"groups: [every], formats: {all: [sigstore]}", "nobody who may sign has an identity for the format sigstore"},
		"formats that a nested group can": {"groups: [every], formats: {all: [authenticode, clearsign]}", ""},
		"one of two that somebody can":    {"people: [carol], formats: {any: [sigstore, authenticode]}", ""},
		"one of two that has claims":      {"people: [alice], min_version: \"1\", formats: {any: [clearsign, authenticode]}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grants := strings.Replace(peopleYAML, "groups:\n", "groups:\n  every: {groups: [release]}\n", 1) + formatRule(c.signedBy)
			if c.want == "" {
				engine(t, grants)
				return
			}
			if got := grantsProblems(t, grants); !strings.Contains(got, c.want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

// Each part of an answer says who, in which format, and how it is made; nothing that it
// says is to trust more.
func TestADenialForAFormatSaysWhoMustSignAndHow(t *testing.T) {
	t.Parallel()
	question := good()
	question.Signatures = []policy.Signature{signature("valid", aliceKey), ofFormat("sigstore", signature("valid", annBundle))}
	e := engine(t, peopleYAML+formatRule("people: [alice, ann], at_least: 2, formats: {all: [authenticode, sigstore]}"))
	x, err := e.Explain(t.Context(), question)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []policy.Lack{
		{
			Part: "signed_by", Code: "format-missing",
			Msg:  "nobody of alice, ann has signed in the format authenticode so that it counts; the rule wants signatures in authenticode and sigstore",
			Hint: "let it be signed by one of alice, ann: writ sign --format authenticode",
		},
		{
			Part: "signed_by", Code: "format-not-matched",
			Msg:  "alice signed in the format clearsign; the rule counts signatures in authenticode or sigstore only",
			Hint: "let it be signed in a format that counts: writ sign --format authenticode, or writ sign --format sigstore",
		},
	} {
		if !slices.ContainsFunc(x.Rules[0].Parts, func(p policy.PartOutcome) bool { return slices.Contains(p.Lacks, want) }) {
			t.Errorf("want %+v, got %+v", want, x.Rules[0].Parts)
		}
	}
}

// TestAttackOneFormatTakenAway: who can write the folder of a runbook, but has no key,
// takes away one of the signatures that the rule demands, or puts one of his own there.
func TestAttackOneFormatTakenAway(t *testing.T) {
	t.Parallel()
	inside, bundle := ofFormat("authenticode", signature("valid", aliceCert)), ofFormat("sigstore", signature("valid", annBundle))
	his := ofFormat("sigstore", signature("untrusted", "sigstore:https://accounts.google.com|mallory@example.com"))
	e := engine(t, peopleYAML+formatRule("people: [alice, ann], formats: {all: [authenticode, sigstore]}"))
	for _, left := range [][]policy.Signature{{inside}, {bundle}, {inside, his}, {bundle, nested(his)}, {inside, inside}} {
		question := good()
		question.Signatures = left
		mustDeny(t, e.Decide(t.Context(), question), "format-missing")
	}
	question := good()
	question.Signatures = []policy.Signature{inside, his, bundle}
	mustAllow(t, e.Decide(t.Context(), question))
}

// TestAttackApproverSignsInAFormatThatDoesNotCount: a rule whose signatures count in one
// format only does not take who has signed in another one for a stranger to the runbook.
func TestAttackApproverSignsInAFormatThatDoesNotCount(t *testing.T) {
	t.Parallel()
	rules := strings.Replace(approvedRule("{people: [alice, carol], not_signers: true}"), "signed_by: {groups: [release]}", "signed_by: {groups: [release], formats: {any: [clearsign]}}", 1)
	question := requestedByBob(approvalBy(carolSigner))
	mustAllow(t, engine(t, rules).Decide(t.Context(), question))
	question.Signatures = append(slices.Clone(question.Signatures), ofFormat("sigstore", signature("valid", carolSigner)))
	mustDeny(t, engine(t, rules).Decide(t.Context(), question), "approval-missing")
}

func TestExemptionsOfAFormatLiftNothingElse(t *testing.T) {
	t.Parallel()
	grants := peopleYAML + formatRule("people: [alice, ann], at_least: 2, formats: {all: [authenticode, sigstore]}") + exempt("format-missing")
	question := good()
	question.Signatures = []policy.Signature{ofFormat("sigstore", signature("valid", annBundle))}
	mustDeny(t, engine(t, grants).Decide(t.Context(), question), "too-few-signers")
	question.Signatures = append(question.Signatures, ofFormat("sigstore", signature("valid", aliceCert)))
	mustAllow(t, engine(t, grants).Decide(t.Context(), question))
}
