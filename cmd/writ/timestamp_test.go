package main

import (
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// TestTimestampsOfARealAuthority asks one on loopback, and has a peer ask it too.
func TestTimestampsOfARealAuthority(t *testing.T) {
	t.Parallel()
	tool := testenv.Tool(t, "osslsigncode")
	url, chain := testenv.TimestampServer(t)
	p := params(t)
	p.Dir = "testdata/timestamp"
	setup := p.Setup
	p.Setup = func(env *testscript.Env) error {
		if err := setup(env); err != nil {
			return err
		}
		env.Setenv("TSA", url)
		return os.WriteFile(filepath.Join(env.WorkDir, "tsa.pem"), chain, 0o600)
	}
	t.Run("scripts", func(t *testing.T) { testscript.Run(t, p) })
	i := newTimestampInterop(t, tool, url, chain)
	// osslsigncode knows no VBScript and no .wsf, and digests a .js wrongly.
	for _, ext := range []string{".ps1", ".psm1", ".psd1", ".ps1xml", ".psc1", ".cdxml", ".mof"} {
		t.Run("osslsigncode agrees on "+ext, func(t *testing.T) { i.try(t, ext) })
	}
}

type timestampInterop struct {
	tool, url, dir string
	key            *signer.Key
	sign           *format.Authenticode
	later          *verifier.Verifier // when the signer's certificate has expired
}

// newTimestampInterop makes a key whose certificate expires within the day.
func newTimestampInterop(t *testing.T, tool, url string, tsa []byte) *timestampInterop {
	t.Helper()
	i := &timestampInterop{tool: tool, url: url, dir: t.TempDir()}
	now := time.Now()
	k, err := newkeys.X509(newkeys.X509Options{
		Subject: "Interop", NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), Algorithm: "rsa2048",
	})
	if err == nil {
		i.key, err = signer.NewX509Key("test key", k.Key, []*x509.Certificate{k.Leaf, k.CA})
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"ca.pem": k.CAPEM, "key.pem": k.KeyPEM, "certs.pem": k.ChainPEM(), "tsa.pem": tsa} {
		i.write(t, name, data)
	}
	get, err := signer.NewTimestamper(signer.TimestampOptions{URLs: []string{url}})
	if err != nil {
		t.Fatal(err)
	}
	i.sign = &format.Authenticode{Timestamp: get}
	trust, err := verifier.NewTrust(
		verifier.TrustFile{Room: verifier.RoomX509CA, Name: "ca.pem", Data: k.CAPEM},
		verifier.TrustFile{Room: verifier.RoomTSA, Name: "tsa.pem", Data: tsa})
	if err == nil {
		i.later, err = newVerifier(trust, func() time.Time { return now.AddDate(1, 0, 0) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *timestampInterop) path(name string) string { return filepath.Join(i.dir, name) }

func (i *timestampInterop) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(i.path(name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (i *timestampInterop) try(t *testing.T, ext string) {
	source := []byte("1\r\n2\r\n")
	rb, err := runbook.Parse("ours"+ext, source)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := i.sign.Sign(t.Context(), rb, i.key)
	if err != nil {
		t.Fatal(err)
	}
	i.checkLater(t, "ours"+ext, ours)
	i.write(t, "ours"+ext, ours)
	out, err := exec.Command(i.tool, "verify", "-CAfile", i.path("ca.pem"), "-TSA-CAfile", i.path("tsa.pem"), "-in", i.path("ours"+ext)).CombinedOutput()
	for _, want := range []string{"Timestamp Server Signature verification: ok", "\nSignature verification: ok"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("of ours: %v, without %q:\n%s", err, want, out)
		}
	}

	i.write(t, "in"+ext, source)
	out, err = exec.Command(i.tool, "sign", "-h", "sha256", "-certs", i.path("certs.pem"), "-key", i.path("key.pem"),
		"-ts", i.url, "-in", i.path("in"+ext), "-out", i.path("theirs"+ext)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	theirs, err := os.ReadFile(i.path("theirs" + ext))
	if err != nil {
		t.Fatal(err)
	}
	i.checkLater(t, "theirs"+ext, theirs)
}

// checkLater wants the file valid by its timestamp alone.
func (i *timestampInterop) checkLater(t *testing.T, name string, data []byte) {
	t.Helper()
	rb, err := runbook.Parse(name, data)
	if err != nil {
		t.Fatal(err)
	}
	r, err := i.later.Inspect(t.Context(), rb)
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != verifier.Valid || r.Signatures[0].SignedAtSource != verifier.TimeTSA {
		t.Errorf("%s is %s, with a time from %q: %+v", name, r.Verdict, r.Signatures[0].SignedAtSource, r.Findings)
	}
}
