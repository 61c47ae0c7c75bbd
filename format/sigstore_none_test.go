//go:build nosigstore

package format_test

import (
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// TestABuildWithoutSigstoreSaysThatItDoesNotReadABundle, and calls the file unsigned.
func TestABuildWithoutSigstoreSaysThatItDoesNotReadABundle(t *testing.T) {
	t.Parallel()
	alice := newForger(clearsignTime.Add(-time.Hour))
	v, err := verifier.New(ringTrust(t, alice.certificate()), verifier.Options{
		Formats: []verifier.Format{format.NewClearsign(), format.NewDetached(), format.NewSigstore()},
		Now:     func() time.Time { return clearsignTime },
	})
	if err != nil {
		t.Fatal(err)
	}
	bundle := runbook.Sidecar{Name: "deploy.sh.sigstore.json", Data: []byte("{}")}
	report, _ := besideVerdict(t, v, "deploy.sh", detachedScript, bundle)
	if report.Verdict != verifier.Unsigned || len(report.Findings) == 0 || report.Findings[0].Code != "bundle-not-read" {
		t.Errorf("%s, %+v", report.Verdict, report.Findings)
	}
	signed := runbook.Sidecar{Name: "deploy.sh.sig", Data: alice.over(0x00, detachedScript)}
	report, _ = besideVerdict(t, v, "deploy.sh", detachedScript, bundle, signed)
	if report.Verdict != verifier.Valid || len(report.Findings) == 0 {
		t.Errorf("with another signature: %s, %+v", report.Verdict, report.Findings)
	}
}
