package format_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/verifier"
)

// TestWhatOpenSSLSaysOfRevocationIsUnderstood: lists and responses that another
// program made.
func TestWhatOpenSSLSaysOfRevocationIsUnderstood(t *testing.T) {
	t.Parallel()
	tool := testenv.Tool(t, "openssl")
	now := testenv.VectorTime()
	long := vectors.Valid(now.AddDate(-20, 0, 0), now.AddDate(50, 0, 0)) // OpenSSL goes by its own clock
	root := vectors.Issue(t, now, "Root", nil, long)
	good := vectors.Issue(t, now, "Good", root, vectors.CodeSigning, long)
	bad := vectors.Issue(t, now, "Bad", root, vectors.CodeSigning, long)
	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(root.Key)
	if err != nil {
		t.Fatal(err)
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	writeFile(t, path("key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	writeFile(t, path("ca.pem"), root.PEM())
	writeFile(t, path("good.pem"), good.PEM())
	writeFile(t, path("bad.pem"), bad.PEM())
	const stamp = "20060102150405Z"
	line := func(state, revoked string, id *vectors.Identity) string {
		serial := fmt.Sprintf("%X", id.Cert.SerialNumber)
		if len(serial)%2 == 1 {
			serial = "0" + serial
		}
		return fmt.Sprintf("%s\t%s\t%s\t%s\tunknown\t/CN=%s\n", state, id.Cert.NotAfter.UTC().Format(stamp), revoked, serial, id.Cert.Subject.CommonName)
	}
	writeFile(t, path("index.txt"), []byte(line("V", "", good)+line("R", now.AddDate(0, -1, 0).Format("060102150405Z")+",superseded", bad)))
	writeFile(t, path("crlnumber"), []byte("01\n"))
	writeFile(t, path("ca.cnf"), []byte("[ca]\ndefault_ca=d\n[d]\ndatabase="+path("index.txt")+"\ncrlnumber="+path("crlnumber")+"\ndefault_md=sha256\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n"))
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	run("ca", "-config", path("ca.cnf"), "-gencrl", "-keyfile", path("key.pem"), "-cert", path("ca.pem"), "-out", path("crl.pem"),
		"-crl_lastupdate", now.AddDate(0, 0, -1).Format(stamp), "-crl_nextupdate", now.AddDate(0, 0, 1).Format(stamp))
	judge := func(at time.Time, room, answer string, id *vectors.Identity, want verifier.Verdict) {
		t.Helper()
		s := store{"s/x509-ca/ca": string(root.PEM()), "s/settings/settings": "revocation:require", "s/crl/" + room: answer}
		if r := inspect(t, s.verifier(t, at), "job.ps1", signedScript(t, id)); r.Verdict != want {
			t.Errorf("%s: %s is %s, want %s: %+v", room, id.Cert.Subject.CommonName, r.Verdict, want, r.Signatures)
		}
	}
	list := string(readFile(t, path("crl.pem")))
	judge(now, "list", list, good, verifier.Valid)
	judge(now, "list", list, bad, verifier.Revoked)
	judge(now.AddDate(0, 0, 2), "list", list, good, verifier.Untrusted)
	judge(now.AddDate(0, 0, 2), "list", list, bad, verifier.Revoked)
	for _, id := range []*vectors.Identity{good, bad} {
		name, want := "good", verifier.Valid
		if id == bad {
			name, want = "bad", verifier.Revoked
		}
		run("ocsp", "-index", path("index.txt"), "-CA", path("ca.pem"), "-rsigner", path("ca.pem"), "-rkey", path("key.pem"), "-ndays", "7",
			"-issuer", path("ca.pem"), "-cert", path(name+".pem"), "-respout", path(name+".ocsp"), "-noverify")
		response := readFile(t, path(name+".ocsp"))
		parsed, err := ocsp.ParseResponse(response, root.Cert)
		if err != nil {
			t.Fatal(err)
		}
		judge(parsed.ThisUpdate.Add(time.Hour), "response", string(response), id, want)
	}
}

// TestADurableIdentityOutlivesItsCertificates: a real publisher with Azure Trusted
// Signing, whose certificates are good for three days.
func TestADurableIdentityOutlivesItsCertificates(t *testing.T) {
	t.Parallel()
	dir := testenv.Shared(t, "corpus/authenticode/mondoo")
	paths, err := filepath.Glob(filepath.Join(dir, "*Installer.psm1"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no files", err)
	}
	const issuer = `issuer="CN=Microsoft Identity Verification Root Certificate Authority 2020,O=Microsoft Corporation,C=US"`
	const identity = "eku=1.3.6.1.4.1.311.97.624380118.619033170.304496367.999740842 "
	leaves := map[string]bool{}
	for _, path := range paths {
		file := readFile(t, path)
		roots, leaf := selfSignedIn(t, file)
		if leaf == nil || len(roots) == 0 || inspect(t, newVerifier(t, leaf.NotBefore.Add(time.Hour), roots...), "a.psm1", file).Verdict != verifier.Valid {
			continue // its content was changed, or it is not of this service
		}
		for pin, want := range map[string]verifier.Verdict{
			"x509-identity: " + identity + issuer:                                    verifier.Valid,
			"x509-identity: eku=1.3.6.1.4.1.311.97.1.1.1 subject=\"CN=x\" " + issuer: verifier.Untrusted,
			"x509-identity: " + identity + `issuer="CN=Another"`:                     verifier.Untrusted,
		} {
			s := store{"s/x509-ca/root": string(roots[0]), "s/x509-pins/pins": pin}
			if r := inspect(t, s.verifier(t, leaf.NotBefore.Add(time.Hour)), "a.psm1", file); r.Verdict != want {
				t.Errorf("%s by %q: %s, want %s: %+v", filepath.Base(path), pin, r.Verdict, want, r.Signatures)
			}
		}
		leaves[string(leaf.Raw)] = true
	}
	if len(leaves) < 2 {
		t.Errorf("%d certificates only", len(leaves))
	}
}

// selfSignedIn returns the roots in a signature, and the certificate that signed.
func selfSignedIn(t *testing.T, file []byte) (roots [][]byte, leaf *x509.Certificate) {
	t.Helper()
	style, _ := authscript.StyleOf("a.psm1")
	script, err := authscript.Parse(style, file)
	if err != nil {
		return nil, nil
	}
	sd, err := cms.Parse(script.Block)
	if err != nil {
		return nil, nil
	}
	for _, c := range sd.Certificates {
		if string(c.RawSubject) == string(c.RawIssuer) {
			roots = append(roots, c.Raw)
		}
	}
	leaf, err = sd.SignerCertificate()
	if err != nil {
		return nil, nil
	}
	return roots, leaf
}
