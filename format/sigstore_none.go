//go:build nosigstore

package format

import (
	"context"
	"fmt"
	"time"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// Sigstore stands in for the format of Sigstore bundles in a build without it: it
// reads none, and says so where one lies beside a file.
type Sigstore struct{}

// NewSigstore returns the format.
func NewSigstore() *Sigstore { return &Sigstore{} }

// Name is "sigstore".
func (*Sigstore) Name() string { return sigstoreName }

// Load reads nothing: a trust store with rooms for Sigstore does not open.
func (s *Sigstore) Load(*verifier.TrustStore) (verifier.Checker, error) { return s, nil }

// Check says that a bundle is not read.
func (*Sigstore) Check(_ context.Context, rb *runbook.Runbook, _ time.Time) (out verifier.Outcome) {
	for _, s := range rb.Sidecars() {
		if s.IsBundle() {
			out.Findings = append(out.Findings, verifier.Finding{
				Code: "bundle-not-read", Detail: fmt.Sprintf("%s beside the file is not read: this build of writ is without Sigstore", s.Name),
				Fix: "verify with a build that has it",
			})
		}
	}
	return out
}
