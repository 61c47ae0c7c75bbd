package index_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/index"
	"github.com/runwrit/writ/runbook"
)

// draw is a sequence of numbers, always the same.
type draw uint64

func (d *draw) below(n int) int {
	*d = *d*6364136223846793005 + 1442695040888963407
	return int(uint64(*d) >> 33 % uint64(n))
}

func (d *draw) pick(list ...string) string { return list[d.below(len(list))] }

func identity(person int) string { return fmt.Sprintf("openpgp:%040X", person+1) }

func workflow(person int) string {
	return fmt.Sprintf("sigstore:https://ci.example|https://ci.example/p%d.yml@refs/heads/main", person)
}

// randomGrants is a policy in which names, paths and groups meet often.
func randomGrants(d *draw) string {
	var b strings.Builder
	b.WriteString("version: 1\npeople:\n")
	for i := range 6 {
		fmt.Fprintf(&b, "  p%d: {identities: [%q, %q, \"os:p%d\"]}\n", i, identity(i), workflow(i), i)
	}
	b.WriteString("groups:\n")
	for i := range 4 {
		fmt.Fprintf(&b, "  g%d: {members: [p%d, p%d], os_groups: [wheel%d]}\n", i, i, i+1, d.below(3))
	}
	b.WriteString("denied:\n")
	for i := range 1 + d.below(2) {
		fmt.Fprintf(&b, "  - {sha256: %s, reason: withdrawn %d}\n", runbook.DigestOf([]byte{byte(i)}), i)
	}
	b.WriteString("rules:\n")
	for i := range 14 {
		match := "paths: [\"" + d.pick("**", "/a/**", "/a/*.sh", "/a/b/x.sh", "/a/**/x.sh", "**/x.sh", "/a/*/y.sh", "/b/x.sh") + "\"]"
		switch d.below(5) {
		case 0:
			match = "kinds: [" + d.pick("bash", "python") + "]"
		case 1:
			match += fmt.Sprintf(", sha256: [%s]", runbook.DigestOf([]byte{byte(d.below(4))}))
		}
		fmt.Fprintf(&b, "  - name: r%d\n    match: {%s}\n    workers: {%s}\n    signed_by: {%s, at_least: %s%s}\n    requested_by: {%s}\n    parameters: {Mode: {enum: [soft, hard]}}\n",
			i, match, d.pick("any: true", "groups: [web]", "groups: [db, web]", "ids: [w1, w2]", "groups: [db], ids: [w1]", "labels: {env: test}"),
			d.pick("groups: [g0, g1]", "groups: [g2], people: [p0]", "people: [p1, p2]"), d.pick("1", "2"), d.pick("", "", ", formats: {any: [sigstore]}", ", formats: {all: [clearsign, sigstore]}"),
			d.pick("anyone: true", "groups: [g3]", "people: [p0, p3]"))
	}
	return b.String()
}

func randomInput(d *draw) policy.Input {
	in := policy.Input{
		Version: policy.InputVersion,
		NowNS:   time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).UnixNano(),
		Runbook: policy.Runbook{
			Name: "x.sh", Path: d.pick("/a/x.sh.asc", "/a/b/x.sh", "/a/b/y.sh", "/b/x.sh", "/c"), Kind: d.pick("bash", "python"), Verdict: "valid",
			SHA256: runbook.DigestOf([]byte{byte(d.below(8))}), PayloadSHA256: runbook.DigestOf([]byte("payload")), Size: 4,
		},
		Findings: []policy.Finding{},
		Caller: policy.Caller{
			Kind: "os-user", ID: fmt.Sprintf("os:p%d", d.below(8)), Groups: []string{fmt.Sprintf("os-group:wheel%d", d.below(4))},
			GroupsComplete: true, Roles: []string{}, Assurance: "peercred",
		},
		Worker:     policy.Worker{ID: d.pick("w1", "w2", "w3"), Group: d.pick("web", "db", ""), OS: "linux", Labels: map[string]string{"env": d.pick("test", "prod")}},
		Parameters: map[string]string{},
		Job:        map[string]string{},
		Approvals:  []policy.Approval{},
		Trust:      policy.Trust{Digest: runbook.DigestOf([]byte("trust"))},
	}
	for range 1 + d.below(3) {
		s := policy.Signature{
			Format: "clearsign", Verdict: "valid", SignedAtSource: "claimed", NotPassed: []string{},
			Signer: policy.Signer{IDs: []string{identity(d.below(8))}},
		}
		if d.below(3) == 0 {
			s.Format, s.Signer.IDs = "sigstore", []string{workflow(d.below(8))}
		}
		in.Signatures = append(in.Signatures, s)
	}
	if d.below(3) == 0 {
		in.Parameters["Mode"] = d.pick("soft", "off")
	}
	return in
}

// build builds an index in a folder of its own.
func build(t testing.TB, grants string) (string, index.Ref) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "index")
	ref, err := index.Build(path, []byte(grants))
	if err != nil {
		t.Fatal(err)
	}
	return path, ref
}

func open(t testing.TB, path string, ref index.Ref) *index.Index {
	t.Helper()
	x, err := index.Open(path, ref, index.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func engine(t testing.TB, src policy.Source) *policy.Engine {
	t.Helper()
	e, err := policy.New(src)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// said is all that a decision says.
func said(t testing.TB, d any) string {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
