package main

import (
	"crypto"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/runwrit/writ/internal/testenv"
)

// softHSM is where Debian's softhsm2 has its PKCS#11 module.
const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// The programs of plugins, each of which is built once.
var (
	hsmPlugin   = sync.OnceValues(func() ([]byte, error) { return buildProgram("./examples/sigstore-kms-hsm") })
	vaultPlugin = sync.OnceValues(func() ([]byte, error) { return buildProgram("./internal/testenv/kmsplugin") })
)

func buildProgram(pkg string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "plugin")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, "plugin")
	cmd := exec.Command("go", "build", "-o", program, pkg)
	cmd.Dir, cmd.Env = filepath.Join("..", ".."), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the plugin: %w\n%s", err, out)
	}
	return os.ReadFile(program)
}

// addPlugin puts a plugin into PATH.
func (w *keyWork) addPlugin(t *testing.T, name string, program func() ([]byte, error)) {
	t.Helper()
	data, err := program()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(w.path("bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	testenv.WriteProgram(t, filepath.Join(w.path("bin"), "sigstore-kms-"+name), data)
	w.env = append(w.env, "PATH="+w.path("bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
}

var hsmKeyTypes = map[string]string{"rsa2048": "rsa:2048", "rsa3072": "rsa:3072", "p256": "EC:secp256r1", "p384": "EC:secp384r1", "ed25519": "EC:edwards25519"}

// inSoftHSM makes a token of its own, and a key in it that cannot be taken out.
func (w *keyWork) inSoftHSM(t *testing.T, algorithm string) {
	util, tool := testenv.Tool(t, "softhsm2-util"), testenv.Tool(t, "pkcs11-tool")
	if err := os.Mkdir(w.path("tokens"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.addPlugin(t, "hsm", hsmPlugin)
	conf := w.write(t, "softhsm2.conf", []byte("directories.tokendir = "+w.path("tokens")+"\nobjectstore.backend = file\nlog.level = ERROR\n"))
	w.env = append(w.env, "SOFTHSM2_CONF="+conf, "HSM_MODULE="+softHSM, "HSM_PIN=123456")
	w.mustRun(t, util, "--init-token", "--free", "--label", "build token", "--pin", "123456", "--so-pin", "12345678")
	w.mustRun(t, tool, "--module", softHSM, "--token-label", "build token", "--login", "--pin", "env:HSM_PIN", "--keypairgen", "--key-type", hsmKeyTypes[algorithm], "--label", "signing", "--id", "01")
	w.key = "hsm://build%20token/01"
	if algorithm == "ed25519" {
		return // no certificate can be made of it
	}
	w.certify(t, w.publicKey(t))
}

// publicKey is the public half of the key, as writ shows it.
func (w *keyWork) publicKey(t *testing.T) crypto.PublicKey {
	t.Helper()
	out := w.mustRun(t, "writ", "keys", "show", w.key)
	public, err := cryptoutils.UnmarshalPEMToPublicKey([]byte(out[max(strings.Index(out, "-----BEGIN"), 0):]))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return public
}

// Each refusal of a token is told in its own words, and nothing is written.
func TestATokenThatRefusesLeavesTheFile(t *testing.T) {
	t.Parallel()
	w := newKeyWork(t)
	w.inSoftHSM(t, "p256")
	w.mustRun(t, "writ", "keys", "openpgp-cert", w.key, "--user-id", "Key sources", "--out", "openpgp.asc")
	good, key := w.env, w.key
	for _, c := range []struct {
		name, key, want string
		env             []string
	}{
		{"a wrong PIN", key, "CKR_PIN_INCORRECT", []string{"HSM_PIN=000000"}},
		{"no PIN", key, "the variable HSM_PIN is not set", []string{"HSM_PIN="}},
		{"no such token", "hsm://other/01", `No slot with token named \"other\" found`, nil},
		{"no such key", "hsm://build%20token/09", "object not found", nil},
		{"no module", key, "the variable HSM_MODULE is not set", []string{"HSM_MODULE="}},
		{"a module that is not there", key, "cannot open shared object file", []string{"HSM_MODULE=/nonexistent/module.so"}},
		{"a URI without a key", "hsm://build%20token", "want hsm://TOKEN/ID", nil},
		{"a PIN in the URI", "hsm://build%20token/01?pin-value=123456", "has a password or PIN in it", nil},
		{"no plugin", "hsn://build%20token/01", "no program sigstore-kms-hsn in PATH", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.key, w.env = c.key, append(good[:len(good):len(good)], c.env...)
			for file, cert := range map[string]string{"a.ps1": "cert.pem", "a.sh": "openpgp.asc"} {
				out, err := w.sign(t, file, cert)
				if err == nil || !strings.Contains(out, c.want) || strings.Contains(out, "123456") {
					t.Errorf("%s: %v\n%s", file, err, out)
				}
			}
			w.isUntouched(t)
		})
	}
}

func TestATokenWithAnEdDSAKeyIsRefused(t *testing.T) {
	t.Parallel()
	w := newKeyWork(t)
	w.inSoftHSM(t, "ed25519")
	for _, args := range [][]string{{"keys", "openpgp-cert", w.key, "--user-id", "x", "--out", "x.asc"}, {"sign", "--key", w.key, "--cert", "ca.pem", "a.ps1"}} {
		out, err := w.run(t, "writ", args...)
		if err == nil || !strings.Contains(out, "Ed25519") {
			t.Errorf("%v\n%s", err, out)
		}
	}
	if _, err := os.Stat(w.path("x.asc")); err == nil {
		t.Error("a certificate was written")
	}
	w.isUntouched(t)
}

func (w *keyWork) isUntouched(t *testing.T) {
	t.Helper()
	for name, want := range map[string]string{"a.ps1": powerShell, "a.sh": bashScript} {
		if now, err := os.ReadFile(w.path(name)); err != nil || string(now) != want {
			t.Errorf("%s: %v, %q", name, err, now)
		}
	}
	left, err := filepath.Glob(w.path("*.asc"))
	if err != nil || len(left) > 1 || len(left) == 1 && filepath.Base(left[0]) != "openpgp.asc" {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
