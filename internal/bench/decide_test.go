//go:build bench && linux

package bench_test

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/index"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// grants is a policy of n rules, n people, each a member of a group, and a denied
// digest for each ten. The rule in the middle is the one for signer.
func grants(n int, signer, caller, path string) string {
	var b strings.Builder
	b.WriteString("version: 1\npeople:\n")
	fmt.Fprintf(&b, "  the-signer: {identities: [%q]}\n  the-caller: {identities: [%q]}\n", signer, caller)
	for i := range n {
		fmt.Fprintf(&b, "  person-%d: {identities: [\"openpgp:%040X\", \"os:user-%d\"]}\n", i, i+1, i)
	}
	b.WriteString("groups:\n  signers: {members: [the-signer]}\n  callers: {members: [the-caller]}\n")
	for i := range n / 10 {
		fmt.Fprintf(&b, "  team-%d: {members: [person-%d", i, i*10)
		for k := range 9 {
			fmt.Fprintf(&b, ", person-%d", i*10+k+1)
		}
		b.WriteString("]}\n")
	}
	b.WriteString("denied:\n")
	for i := range n/10 + 1 {
		fmt.Fprintf(&b, "  - {sha256: \"%064x\", reason: withdrawn}\n", i+1)
	}
	b.WriteString("rules:\n")
	for i := range n {
		match := fmt.Sprintf("/srv/runbooks/team-%d/job-%d.sh", i%100, i)
		if i == n/2 {
			match = path
		}
		fmt.Fprintf(&b, "  - name: rule-%d\n    match: {paths: [%q]}\n    workers: {groups: [bench]}\n"+
			"    signed_by: {groups: [signers], at_least: 1}\n    requested_by: {groups: [callers]}\n    run: {timeout: 1m}\n", i, match)
	}
	return b.String()
}

// decisions times the decision on one verified runbook, in process, with
// policies of three sizes: read into memory, and from an index on disk.
func (b *bench) decisions() {
	const path, caller = "/srv/runbooks/team-x/hello.sh.asc", "os:bench"
	verified := b.verified("hello.sh", "ed25519")
	signer := verified.Report().Signatures[0].Signer.IDs[0]
	for _, n := range []int{10, 1_000, 100_000} {
		text := []byte(grants(n, signer, caller, strings.TrimSuffix(path, runbook.SignatureExt)))
		file := b.path(fmt.Sprintf("grants-%d.index", n))
		ref, err := index.Build(file, text)
		b.check(err)
		rows, err := index.Open(file, ref, index.Options{})
		b.check(err)
		for _, from := range []struct {
			name string
			src  policy.Source
		}{{"in memory", policy.Source{Grants: text}}, {"by index", policy.Source{Rows: rows}}} {
			engine, err := policy.New(from.src)
			b.check(err)
			p50, p99 := b.decide(engine, verified, path, caller)
			b.add(row{
				fmt.Sprintf("one decision at %d grants, %s: p50, p99", n, from.name), show(p50) + ", " + show(p99), "", "",
				"p50 < 0.5 ms", p50 < 500*time.Microsecond,
			})
		}
		b.check(rows.Close())
	}
}

// decide makes the same decision many times.
func (b *bench) decide(engine *policy.Engine, verified *verifier.Verified, path, caller string) (p50, p99 time.Duration) {
	b.Helper()
	var all []time.Duration
	for range 2_000 {
		in, err := policy.NewInput(verified, policy.Request{
			Path: path, Now: time.Now(),
			Caller: policy.Caller{Kind: "os-user", ID: caller, GroupsComplete: true, Assurance: "real-uid"},
			Worker: policy.Worker{ID: "bench", Group: "bench", OS: "linux"},
		})
		b.check(err)
		start := time.Now()
		d := engine.Decide(b.Context(), in)
		all = append(all, time.Since(start))
		if !d.Allow {
			b.Fatalf("denied: %v", d.Deny)
		}
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*99/100]
}

// verified signs a small script and returns what the verifier says of it.
func (b *bench) verified(name, algorithm string) *verifier.Verified {
	b.Helper()
	b.write(name, []byte("echo done\n"))
	b.run(b.writ, "sign", "--key", b.path(algorithm+".key"), b.path(name))
	public, err := os.ReadFile(b.path(algorithm + ".asc"))
	b.check(err)
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "bench", Room: verifier.RoomOpenPGP, Name: "signer.asc", Data: public})
	b.check(err)
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{format.NewClearsign()}})
	b.check(err)
	rb, err := runbook.ReadFile(b.path(name+runbook.SignatureExt), false)
	b.check(err)
	verified, err := v.Verify(b.Context(), rb)
	b.check(err)
	return verified
}

// signerOf is the identity under which a policy knows that key.
func (b *bench) signerOf(algorithm string) string {
	b.Helper()
	return b.verified("signer-of.sh", algorithm).Report().Signatures[0].Signer.IDs[0]
}

func (b *bench) caller() string {
	b.Helper()
	u, err := user.Current()
	b.check(err)
	return "os:" + u.Username
}
