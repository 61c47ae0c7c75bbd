package audit_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// expiring audits files with an authority, an authority for timestamps and an OpenPGP
// certificate in trust, and returns what ends within 30 days.
type expiring struct {
	at    time.Time
	files map[string]string
	trust []verifier.TrustFile
}

func (e *expiring) x509(room verifier.Room, store string, c *x509.Certificate) {
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	e.trust = append(e.trust, verifier.TrustFile{Store: store, Room: room, Name: c.Subject.CommonName, Data: data})
}

// script adds a file that is signed with the chain, leaf first.
func (e *expiring) script(t *testing.T, name string, tsa *vectors.Identity, chain ...*vectors.Identity) {
	t.Helper()
	content := []byte("Write-Output 1\r\n")
	style := vectors.StyleOf(".ps1")
	m := vectors.NewMessage(chain[0], crypto.SHA256, style.IndirectData(crypto.SHA256, style.Digest(crypto.SHA256, content)), chain[1:]...)
	if tsa != nil {
		m.AddUnsigned(vectors.TokenAttribute(vectors.Token(t, tsa, m.Sign(t), vectors.Stamp{At: e.at.AddDate(0, 0, -1)})))
	}
	e.files[name] = string(style.Render(content, m.Build(t)))
}

func (e *expiring) openpgp(t *testing.T, name, store string, lifetime time.Duration) {
	t.Helper()
	entity, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: name, Created: e.at.Add(-time.Hour), Lifetime: lifetime})
	if err != nil {
		t.Fatal(err)
	}
	key, err := signer.NewOpenPGPKey(name, entity)
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := key.Anchor()
	if err != nil {
		t.Fatal(err)
	}
	e.trust = append(e.trust, verifier.TrustFile{Store: store, Room: verifier.RoomOpenPGP, Name: name, Data: anchor})
	rb, err := runbook.Parse(name, []byte("echo one\n"))
	if err != nil {
		t.Fatal(err)
	}
	f := format.NewClearsign()
	f.Now = func() time.Time { return e.at.Add(-time.Minute) }
	signed, err := f.Sign(t.Context(), rb, key)
	if err != nil {
		t.Fatal(err)
	}
	e.files[name+".asc"] = string(signed)
}

func (e *expiring) run(t *testing.T, within time.Duration) []string {
	t.Helper()
	trust, err := verifier.NewTrust(e.trust...)
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(trust, verifier.Options{
		Formats: []verifier.Format{format.NewAuthenticode(), format.NewClearsign()}, Now: func() time.Time { return e.at },
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := audit.Run(t.Context(), []string{library(t, e.files)}, audit.Options{Verifier: v, Within: within})
	if err != nil {
		t.Fatal(err)
	}
	if !r.AllValid() {
		t.Fatalf("not all are valid: %v", r.Counts())
	}
	list := []string{}
	for _, x := range r.Expiring {
		list = append(list, x.Signature.Ends.Format(time.DateOnly)+" "+filepath.Base(x.Path))
	}
	return list
}

func TestSignaturesThatEndSoonAreListedTheSoonestFirst(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	days := func(n int) time.Time { return at.AddDate(0, 0, n) }
	until := func(n int) vectors.Edit { return vectors.Valid(at.AddDate(-1, 0, 0), days(n)) }
	e := &expiring{at: at, files: map[string]string{}}
	root, ending := vectors.Issue(t, at, "Root", nil), vectors.Issue(t, at, "Ending", nil, until(20))
	tsa := vectors.Issue(t, at, "Clock", nil, vectors.TimeStamping)
	e.x509(verifier.RoomX509CA, "one", root.Cert)
	e.x509(verifier.RoomX509CA, "one", ending.Cert)
	e.x509(verifier.RoomTSA, "one", tsa.Cert)
	long := vectors.Issue(t, at, "Long", root, vectors.CodeSigning, until(300))
	short := vectors.Issue(t, at, "Short", root, vectors.CodeSigning, until(10))
	edge := vectors.Issue(t, at, "Edge", root, vectors.CodeSigning, until(30))
	below := vectors.Issue(t, at, "Below", ending, vectors.CodeSigning, until(300))
	middle := vectors.Issue(t, at, "Middle", root, until(5))
	deep := vectors.Issue(t, at, "Deep", middle, vectors.CodeSigning, until(300))
	lifetime := vectors.Issue(t, at, "Lifetime", root, vectors.LifetimeSigning, until(15))
	e.script(t, "long.ps1", nil, long)
	e.script(t, "short.ps1", nil, short)
	e.script(t, "edge.ps1", nil, edge)
	e.script(t, "root-ends.ps1", nil, below)
	e.script(t, "intermediate-ends.ps1", nil, deep, middle)
	e.script(t, "stamped.ps1", tsa, short)
	e.script(t, "lifetime.ps1", tsa, lifetime)
	e.openpgp(t, "never.sh", "one", 0)
	e.openpgp(t, "soon.sh", "one", 25*24*time.Hour)
	e.trust = append(e.trust, verifier.TrustFile{Store: "kept", Room: verifier.RoomSettings, Name: "settings", Data: []byte("openpgp-time:at-signing\n")})
	e.openpgp(t, "kept.sh", "kept", 25*24*time.Hour)

	want := []string{
		"2026-11-27 intermediate-ends.ps1", "2026-12-02 short.ps1", "2026-12-07 lifetime.ps1",
		"2026-12-12 root-ends.ps1", "2026-12-17 soon.sh.asc", "2026-12-22 edge.ps1",
	}
	if diff := cmp.Diff(want, e.run(t, 30*24*time.Hour)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want[:1], e.run(t, 5*24*time.Hour)); diff != "" {
		t.Error(diff)
	}
	if got := e.run(t, 0); len(got) > 0 {
		t.Errorf("nobody asked: %v", got)
	}
	// What is listed is what time alone makes invalid: one second later each has gone.
	e.at = days(30).Add(time.Second)
	trust, err := verifier.NewTrust(e.trust...)
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{format.NewAuthenticode(), format.NewClearsign()}, Now: func() time.Time { return e.at }})
	if err != nil {
		t.Fatal(err)
	}
	var gone bytes.Buffer
	r, err := audit.Run(t.Context(), []string{library(t, e.files)}, audit.Options{Verifier: v})
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range r.Entries {
		if entry.Report.Verdict != verifier.Valid {
			gone.WriteString(entry.Report.Verdict.String() + " " + filepath.Base(entry.Path) + "\n")
		}
	}
	if want := "expired edge.ps1\nexpired intermediate-ends.ps1\nexpired lifetime.ps1\nexpired root-ends.ps1\nexpired short.ps1\nexpired soon.sh.asc\n"; gone.String() != want {
		t.Errorf("30 days later:\n%s", gone.String())
	}
}
