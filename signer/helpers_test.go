package signer_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/signer"
)

const secretWord = "correct horse battery" // the passphrase of every encrypted key here

func created() time.Time { return testenv.VectorTime().AddDate(0, -6, 0) }

func newX509(t testing.TB, algorithm string) *newkeys.X509Key {
	t.Helper()
	k, err := newkeys.X509(newkeys.X509Options{Algorithm: algorithm, Subject: "writ test", NotBefore: created()})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// files is a folder with named files.
type files struct {
	t   testing.TB
	dir string
}

func newFiles(t testing.TB) files { return files{t, t.TempDir()} }

func (f files) path(name string) string { return filepath.Join(f.dir, name) }

func (f files) write(name string, data []byte) string {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), data, 0o600); err != nil {
		f.t.Fatal(err)
	}
	return f.path(name)
}

func (f files) read(name string) []byte {
	f.t.Helper()
	data, err := os.ReadFile(f.path(name))
	if err != nil {
		f.t.Fatal(err)
	}
	return data
}

// names are the files in the folder, so that a test sees what was left behind.
func (f files) names() []string {
	f.t.Helper()
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		f.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, stderr.Bytes())
	}
	return string(out)
}

// gnupg is a GnuPG home.
type gnupg struct {
	t    testing.TB
	gpg  string
	home string
}

func newGnuPG(t testing.TB) gnupg {
	t.Helper()
	return gnupg{t, testenv.Tool(t, "gpg"), testenv.GnuPGHome(t)}
}

func (g gnupg) run(passphrase string, args ...string) string {
	g.t.Helper()
	common := []string{"--homedir", g.home, "--batch", "--no-tty", "--yes", "--faked-system-time", "20260601T000000!",
		"--pinentry-mode", "loopback", "--passphrase", passphrase}
	return run(g.t, g.gpg, append(common, args...)...)
}

// newKey makes a primary key that certifies and a subkey that signs.
func (g gnupg) newKey(passphrase, name, algorithm string) (fingerprint string) {
	g.t.Helper()
	g.run(passphrase, "--quick-gen-key", name, algorithm, "cert", "2y")
	for line := range strings.Lines(g.run(passphrase, "--with-colons", "--list-secret-keys", name)) {
		if f := strings.Split(line, ":"); f[0] == "fpr" && fingerprint == "" {
			fingerprint = f[9]
		}
	}
	g.run(passphrase, "--quick-add-key", fingerprint, algorithm, "sign", "1y")
	return fingerprint
}

func b64(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

func passphrase(word string) signer.PassphraseFunc {
	return func(context.Context, string) ([]byte, error) { return []byte(word), nil }
}

func asError[T error](err error, target *T) bool { return errors.As(err, target) }
