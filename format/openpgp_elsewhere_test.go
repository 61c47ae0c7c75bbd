package format_test

import (
	"fmt"
	"testing"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// TestWhatAKeySignedElsewhereIsARunbookUnlessANamespaceIsDemanded: an OpenPGP
// signature does not say that the text is a runbook. A commit of git and a signed
// e-mail are validly signed text, and a shell runs what stands in them; only what
// the signer says in the signature tells them apart.
func TestWhatAKeySignedElsewhereIsARunbookUnlessANamespaceIsDemanded(t *testing.T) {
	t.Parallel()
	f := newForger(clearsignTime.AddDate(-1, 0, 0))
	by := [][]byte{at(2, clearsignTime), f.issuer()}
	namespaced := append(by[:2:2], claim("runbook-namespace", "prod"))
	const commit = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@example.org> 1717243200 +0000\n\nNever run\nrm -rf /srv\n"
	const mail = "Dear all,\n\nplease never run\nrm -rf /srv\n"
	beside := func(hashed [][]byte) []runbook.Sidecar {
		return []runbook.Sidecar{{Name: "a.sh.sig", Data: forgedPacket(2, f.sign(forged{hashed: hashed}, []byte(commit))...)}}
	}
	inside := func(hashed [][]byte) []byte {
		return documentOf(t, mail, f.text(mail, forged{kind: 1, hashed: hashed}))
	}
	pins := fmt.Sprintf("openpgp:%X namespaces=prod", f.fingerprint())
	for name, c := range map[string]struct {
		pins    string
		hashed  [][]byte
		verdict verifier.Verdict
	}{
		"nothing is demanded":                 {"", by, verifier.Valid},
		"a namespace is demanded":             {pins, by, verifier.Untrusted},
		"a namespace is demanded, and signed": {pins, namespaced, verifier.Valid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := []verifier.TrustFile{{Store: "s", Room: verifier.RoomOpenPGP, Name: "ring.pgp", Data: f.certificate()}}
			if c.pins != "" {
				files = append(files, verifier.TrustFile{Store: "s", Room: verifier.RoomOpenPGPPins, Name: "pins", Data: []byte(c.pins)})
			}
			trust, err := verifier.NewTrust(files...)
			if err != nil {
				t.Fatal(err)
			}
			v := besideVerifier(t, trust, clearsignTime)
			if report, _ := besideVerdict(t, v, "a.sh", []byte(commit), beside(c.hashed)...); report.Verdict != c.verdict {
				t.Errorf("the commit is %s, want %s", report.Verdict, c.verdict)
			}
			if report, _ := besideVerdict(t, v, "a.sh.asc", inside(c.hashed)); report.Verdict != c.verdict {
				t.Errorf("the mail is %s, want %s", report.Verdict, c.verdict)
			}
		})
	}
}
