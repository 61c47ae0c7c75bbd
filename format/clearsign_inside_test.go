package format_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// A document vouches for its text as it is. But a block in the text that proves
// that the script was changed, or is by somebody who is denied, is not hidden.
func TestAnAuthenticodeBlockInsideADocumentIsNeverHidden(t *testing.T) {
	t.Parallel()
	entity, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	own := newKey(t, newkeys.X509Options{Algorithm: "p256"})
	public, err := newkeys.ArmoredPublic(entity)
	if err != nil {
		t.Fatal(err)
	}
	openpgp := verifier.TrustFile{Store: "test", Room: verifier.RoomOpenPGP, Name: "key.asc", Data: public}
	ca := verifier.TrustFile{Store: "test", Room: verifier.RoomX509CA, Name: "ca.pem", Data: own.CAPEM}
	deny := verifier.TrustFile{Store: "test", Room: verifier.RoomDeny, Name: "deny", Data: fmt.Appendf(nil, "x509-sha256:%s\n", sha256Hex(own.Leaf.Raw))}
	block := strings.ReplaceAll(string(sign(t, own, "a.ps1", []byte("Write-Host 'a'\r\n"))), "\r\n", "\n")
	changed := strings.Replace(block, "'a'", "'b'", 1)
	for name, c := range map[string]struct {
		file, text string
		trust      []verifier.TrustFile
		want       verifier.Verdict
	}{
		"none":                         {"a.ps1", "Write-Host 'a'\n", []verifier.TrustFile{openpgp, ca}, verifier.Valid},
		"with its line ends converted": {"a.ps1", block, []verifier.TrustFile{openpgp, ca}, verifier.Valid},
		"by nobody we know":            {"a.ps1", block, []verifier.TrustFile{openpgp}, verifier.Valid},
		"of another text":              {"a.ps1", changed, []verifier.TrustFile{openpgp, ca}, verifier.Tampered},
		"of another text, by nobody":   {"a.psm1", changed, []verifier.TrustFile{openpgp}, verifier.Tampered},
		"by somebody who is denied":    {"a.ps1", block, []verifier.TrustFile{openpgp, ca, deny}, verifier.Revoked},
		"in a script that has none":    {"a.sh", changed, []verifier.TrustFile{openpgp, ca}, verifier.Valid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trust, err := verifier.NewTrust(c.trust...)
			if err != nil {
				t.Fatal(err)
			}
			rb, err := runbook.Parse(c.file+".asc", clearsigned(t, c.file, c.text, key))
			if err != nil {
				t.Fatal(err)
			}
			report := inspected(t, formatsVerifier(t, trust, format.NewClearsign(), format.NewAuthenticode(), format.NewDetached()), rb)
			if report.Verdict != c.want || (c.want != verifier.Valid) != strings.Contains(strings.Join(codesOf(report), " "), "inner-signature") {
				t.Errorf("%s, want %s: %v", report.Verdict, c.want, report.Findings)
			}
		})
	}
}
