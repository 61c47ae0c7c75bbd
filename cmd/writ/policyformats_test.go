package main

import (
	"fmt"
	"testing"

	"github.com/runwrit/writ/policy"
)

// A policy can name each format that a runbook is verified in.
func TestEachFormatHasItsNameInAPolicy(t *testing.T) {
	t.Parallel()
	for _, f := range verifyFormats() {
		grants := fmt.Sprintf(`version: 1
people:
  alice: {identities: ["openpgp:0123456789ABCDEF0123456789ABCDEF01234567", "x509-spki:%064d", "sigstore-key:%064d"]}
rules: [{name: r, match: {kinds: [bash]}, workers: {any: true}, signed_by: {people: [alice], formats: {all: [%s]}}, requested_by: {anyone: true}}]
`, 1, 2, f.Name())
		if err := policy.EachRow([]byte(grants), func(policy.Table, string, []string) error { return nil }); err != nil {
			t.Errorf("%s: %v", f.Name(), err)
		}
	}
}
