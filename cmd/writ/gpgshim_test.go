package main

import (
	"bytes"
	"crypto"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
)

// oldWorker is a host with the old Linux worker: a home of GnuPG, a keyring, and
// two programs by the name of gpg.
type oldWorker struct {
	t         testing.TB
	home      string
	keyring   string
	gpg       string // GnuPG
	shim      string // a link to the program under test
	sandbox   string
	gpgSeries string // such as "2.2"
}

func newOldWorker(t testing.TB) *oldWorker {
	t.Helper()
	gpg := testenv.Tool(t, "gpg")
	// The agent's socket needs a short path, which t.TempDir does not promise.
	home, err := os.MkdirTemp("", "w") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w := &oldWorker{
		t: t, home: home, keyring: filepath.Join(dir, "keyring.gpg"), gpg: gpg,
		shim: filepath.Join(dir, "bin", "gpg"), sandbox: filepath.Join(dir, "sandbox"),
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", w.gnupg(), "--kill", "all").Run()
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{w.gnupg(), filepath.Dir(w.shim), w.sandbox} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(self, w.shim); err != nil {
		t.Fatal(err)
	}
	version, _, _ := strings.Cut(string(w.make(nil, "--version")), "\n")
	version = version[strings.LastIndex(version, " ")+1:]
	w.gpgSeries = version[:strings.LastIndex(version, ".")]
	return w
}

func (w *oldWorker) gnupg() string { return filepath.Join(w.home, ".gnupg") }

// make has GnuPG make something, in the worker's home.
func (w *oldWorker) make(input []byte, args ...string) []byte {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), w.gpg, append([]string{
		"--homedir", w.gnupg(), "--batch", "--yes", "--no-auto-check-trustdb", "--trust-model", "always", "--pinentry-mode", "loopback", "--passphrase", "",
	}, args...)...)
	cmd.Stdin = bytes.NewReader(input)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("gpg %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out
}

// hold puts the secret key into the worker's home, and returns who it is.
func (w *oldWorker) hold(e *openpgp.Entity) {
	w.t.Helper()
	secret, err := newkeys.ArmoredSecret(e, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.make(secret, "--import")
}

// decrypt runs the worker's command line with one of the two programs.
func (w *oldWorker) decrypt(program, file string) (code int, output []byte, written bool, said string) {
	w.t.Helper()
	return w.call(program, w.args(file)...)
}

func (w *oldWorker) args(file string) []string {
	return []string{"--batch", "--yes", "--decrypt", "--no-default-keyring", "--keyring", w.keyring, "--output", file + ".d", file}
}

func (w *oldWorker) call(program string, args ...string) (code int, output []byte, written bool, said string) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), program, args...)
	cmd.Env = []string{"HOME=" + w.home, "PATH=" + os.Getenv("PATH"), "GNUPGHOME=" + w.gnupg()}
	cmd.Dir = w.sandbox
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		w.t.Fatal(err)
	}
	if len(out) > 0 {
		w.t.Errorf("standard output: %q", out)
	}
	output, err = os.ReadFile(args[len(args)-1] + ".d")
	return code, output, err == nil, errs.String()
}

// signed makes a clear-signed document with an odd signature.
func signed(t testing.TB, key *packet.PrivateKey, text string, kind packet.SignatureType, at time.Time) []byte {
	t.Helper()
	s := &packet.Signature{
		Version: key.Version, SigType: kind, PubKeyAlgo: key.PubKeyAlgo, Hash: crypto.SHA512, CreationTime: at, IssuerKeyId: &key.KeyId,
	}
	h := crypto.SHA512.New()
	h.Write([]byte(strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\r\n")))
	if err := s.Sign(h, key, nil); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return []byte("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" + text + string(testenv.Armored(t, "PGP SIGNATURE", b.Bytes())))
}

const evil = "#!/bin/bash\necho pwned\n"

// TestCallsOfTheShimForOneFileAtOnce: the worker runs two jobs of one version of a
// runbook in one folder. None fails, and none leaves anything but the text.
func TestCallsOfTheShimForOneFileAtOnce(t *testing.T) {
	t.Parallel()
	c := newShimCase(t)
	var calls sync.WaitGroup
	for range 24 {
		calls.Go(func() {
			if code, said := c.shim(t); code != 0 {
				t.Errorf("exit code %d: %s", code, said)
			}
		})
	}
	calls.Wait()
	c.leaves(t, "job.sh", "job.sh.d")
	if got, err := os.ReadFile(c.file + ".d"); err != nil || string(got) != c.text {
		t.Errorf("%q, %v", got, err)
	}
}

// TestTheShimRefusesWhatGnuPGRuns is why the shim exists: for each file GnuPG ends
// with exit code 0 and writes the attacker's text where the worker runs it. The
// numbers are those of docs/cli/gpg-shim.md.
func TestTheShimRefusesWhatGnuPGRuns(t *testing.T) {
	t.Parallel()
	w := newOldWorker(t)
	for _, c := range w.bypasses() {
		t.Run(c.name, func(t *testing.T) {
			w := *w // subtests run at once
			w.t = t
			if c.keyring != nil {
				w.keyring = writeFile(t, filepath.Join(t.TempDir(), "keyring.gpg"), c.keyring)
			}
			file := writeFile(t, filepath.Join(t.TempDir(), "job.sh"), c.data)
			code, output, _, said := w.decrypt(w.gpg, file)
			switch runs := code == 0 && bytes.Contains(output, []byte("echo pwned")); {
			case runs:
			case w.gpgSeries == "2.2":
				t.Errorf("gpg ends with %d and writes %q: is there nothing to refuse any more?\n%s", code, output, said)
			default:
				t.Logf("gpg %s refuses it", w.gpgSeries)
			}
			// What gpg left behind lies there when the shim is asked.
			code, output, written, said := w.decrypt(w.shim, file)
			if code == 0 || written {
				t.Errorf("the shim ends with %d and writes %q", code, output)
			}
			if !strings.HasPrefix(said, "gpg: writ: ") || !strings.Contains(said, c.verdict) {
				t.Errorf("the shim says %q, want %q", said, c.verdict)
			}
		})
	}
}

type bypass struct {
	name    string
	data    []byte
	verdict string
	keyring []byte // other than the worker's
}

// bypasses are files that the worker runs, by hybrid-workers W1 to W8.
func (w *oldWorker) bypasses() []bypass {
	t := w.t
	hour := time.Now().Add(-time.Hour)
	alice, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "alice", Created: hour})
	if err != nil {
		t.Fatal(err)
	}
	mallory, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "mallory", Created: hour})
	if err != nil {
		t.Fatal(err)
	}
	w.hold(alice)
	w.hold(mallory)
	// The documents of Microsoft have the key pair made on the worker.
	w.make(nil, "--quick-generate-key", "worker", "future-default", "default", "never")
	w.make(nil, "--faked-system-time", "20200101T000000", "--quick-generate-key", "expired", "ed25519", "sign", "1y")
	w.make(nil, "--quick-generate-key", "short", "rsa1024", "sign", "never")
	w.make(nil, "--quick-generate-key", "revoked", "ed25519", "sign", "never")
	clearSign := func(user string, args ...string) []byte {
		return w.make([]byte(evil), append(append([]string{"--local-user", user}, args...), "--clear-sign")...)
	}
	byRevoked := clearSign("revoked")
	w.revoke("revoked")
	good := clearSign("alice")
	writeFile(t, w.keyring, w.make(nil, "--export", "alice", "worker", "expired", "short", "revoked"))
	// W6: a line of gpg.conf adds to the keyring that the worker names.
	added := writeFile(t, filepath.Join(w.home, "added.gpg"), w.make(nil, "--export", "mallory"))
	writeFile(t, filepath.Join(w.gnupg(), "gpg.conf"), []byte("keyring "+added+"\n"))
	signing := alice.Subkeys[0].PrivateKey
	block := good[bytes.Index(good, []byte("-----BEGIN PGP SIGNATURE-----")):]
	return []bypass{
		{name: "W1 a literal message", data: w.make([]byte(evil), "--armor", "--compress-algo", "none", "--store"), verdict: "unsigned"},
		{name: "W1 a binary literal message", data: w.make([]byte(evil), "--compress-algo", "none", "--store"), verdict: "unsigned"},
		{name: "W1 a compressed message", data: w.make([]byte(evil), "--armor", "--compress-algo", "zlib", "--store"), verdict: "unsigned"},
		{name: "W1 a binary compressed message", data: w.make([]byte(evil), "--compress-algo", "zip", "--store"), verdict: "unsigned"},
		{
			name: "W2 an empty signature block", verdict: "unsigned",
			data: bytes.Replace(good, block, []byte("-----BEGIN PGP SIGNATURE-----\n\n=twTO\n-----END PGP SIGNATURE-----\n"), 1),
		},
		{name: "W3 an encrypted message", data: w.make([]byte(evil), "--armor", "--recipient", "worker", "--encrypt"), verdict: "unsupported"},
		{name: "W4 a revoked key", data: byRevoked, verdict: "revoked"},
		{name: "W4 an expired key", data: clearSign("expired", "--faked-system-time", "20200601T000000"), verdict: "expired"},
		{name: "W5 SHA-1", data: clearSign("alice", "--digest-algo", "SHA1"), verdict: "weak"},
		{name: "W5 RSA of 1024 bits", data: clearSign("short"), verdict: "weak"},
		{name: "W5 a signature over bytes", data: signed(t, signing, evil, packet.SigTypeBinary, time.Now()), verdict: "wrong-purpose"},
		{name: "W5 a signature dated in 2035", data: signed(t, signing, evil, packet.SigTypeText, time.Date(2035, 1, 1, 0, 0, 0, 0, time.UTC)), verdict: "expired"},
		{name: "W6 a key that gpg.conf adds", data: clearSign("mallory"), verdict: "untrusted"},
		{name: "W7 an opaque message", data: w.make([]byte(evil), "--armor", "--local-user", "alice", "--sign"), verdict: "unsupported"},
		{name: "W7 a binary opaque message", data: w.make([]byte(evil), "--local-user", "alice", "--sign"), verdict: "unsupported"},
		{name: "W8 a text that is not dash-escaped", data: clearSign("alice", "--not-dash-escaped"), verdict: "malformed"},
		{name: "W8 a NUL at a line end", data: bytes.Replace(good, []byte("pwned\n"), []byte("pwned\x00\n"), 1), verdict: "malformed"},
		{name: "W8 blanks at a line end", data: bytes.Replace(good, []byte("pwned\n"), []byte("pwned \t\n"), 1), verdict: "noncanonical"},
		{
			name: "W8 a line that gpg cuts off", verdict: "tampered",
			data: bytes.Replace(good, []byte("pwned\n"), []byte("pwned"+strings.Repeat(" ", 30_000)+"; rm -rf /\n"), 1),
		},
		{name: "text before the document", data: append([]byte("#!/bin/bash\n"), good...), verdict: "malformed"},
	}
}

// revoke revokes a key with the certificate that GnuPG made for that, in which
// one colon stands in the way of doing so by mistake.
func (w *oldWorker) revoke(user string) {
	w.t.Helper()
	fields := strings.Split(string(w.make(nil, "--with-colons", "--list-keys", user)), "\nfpr:::::::::")
	fingerprint, _, _ := strings.Cut(fields[1], ":")
	data, err := os.ReadFile(filepath.Join(w.gnupg(), "openpgp-revocs.d", fingerprint+".rev"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.make(bytes.Replace(data, []byte(":-----BEGIN"), []byte("-----BEGIN"), 1), "--import")
}
