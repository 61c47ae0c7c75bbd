package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/policy"
)

// manyGrants writes a grants.yaml with n rules, each for a path of its own, as
// many people as a tenth of that, and one rule that restart.sh is allowed by.
func manyGrants(n int) string {
	var b strings.Builder
	b.WriteString("version: 1\npeople:\n")
	people := max(n/10, 2)
	for i := range people {
		fmt.Fprintf(&b, "  p%d: {identities: [\"openpgp:%040X\", \"os:p%d\"]}\n", i, i+1, i)
	}
	b.WriteString("groups:\n  release: {members: [p0, p1]}\nrules:\n")
	for i := range n {
		fmt.Fprintf(&b, `  - name: r%d
    match: {paths: ["/srv/runbooks/job-%d.sh"]}
    workers: {groups: [web, g%d]}
    signed_by: {groups: [release], people: [p%d]}
    requested_by: {people: [p%d]}
    parameters:
      Service: {pattern: "[a-z]{1,20}", required: true}
      Mode: {enum: [soft, hard]}
    run: {timeout: 10m}
`, i, i, i%50, i%people, i%people)
	}
	return b.String()
}

func manyInput(n int) policy.Input {
	i := n / 2
	in := good()
	in.Runbook.Path = fmt.Sprintf("/srv/runbooks/job-%d.sh", i)
	in.Signatures = []policy.Signature{signature("valid", fmt.Sprintf("openpgp:%040X", 1))}
	in.Caller.ID = fmt.Sprintf("os:p%d", i%max(n/10, 2))
	return in
}

// BenchmarkDecide measures one decision with the policy loaded: the bar is a
// median below 0.5 ms, however many rules there are.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		b.Run(fmt.Sprintf("%d rules", n), func(b *testing.B) {
			e := engine(b, manyGrants(n))
			in := manyInput(n)
			if d := e.Decide(b.Context(), in); !d.Allow {
				b.Fatalf("denied: %+v", d.Deny)
			}
			var times []time.Duration
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				if d := e.Decide(b.Context(), in); !d.Allow {
					b.Fatal("denied")
				}
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-us")
		})
	}
}

// BenchmarkLoad measures reading and compiling a policy.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		b.Run(fmt.Sprintf("%d rules", n), func(b *testing.B) {
			src := policy.Source{Grants: []byte(manyGrants(n))}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := policy.New(src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
