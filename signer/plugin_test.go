package signer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/signer"
)

// Plugins that do what no plugin should, written as shell scripts: each gives the
// right public key, and then fails to sign.
func TestAttackPluginsThatMisbehave(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: the plugins are shell scripts")
	}
	k := newX509(t, "p256")
	dir := newFiles(t)
	cert := dir.write("cert.pem", k.ChainPEM())
	public := run(t, testenv.Tool(t, "openssl"), "pkey", "-in", dir.write("key.pem", k.KeyPEM), "-pubout")
	answer := dir.write("public.json", must(json.Marshal(map[string]any{"publicKey": map[string]any{"publicKeyPEM": []byte(public)}})))
	bin := newFiles(t)
	t.Setenv("PATH", bin.dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	for name, c := range map[string]struct {
		script  string
		want    string
		calls   int
		mayPass bool
	}{
		"silent":      {"exit 0", "unexpected end of JSON input", 1, false},
		"failing":     {"exit 3", "unexpected end of JSON input", 1, false},
		"nothing":     {"echo '{}'", "the answer lacks what was asked for", 1, false},
		"nulls":       {`echo '{"signMessage":null}'`, "the answer lacks what was asked for", 1, false},
		"no-bytes":    {`echo '{"signMessage":{"signature":""}}'`, "answered with 0 bytes", 1, false},
		"wrong-type":  {`echo '{"signMessage":{"signature":17}}'`, "cannot unmarshal number", 1, false},
		"half-json":   {`printf '{"signMessage":{"signature":"MEUC'`, "unexpected end of JSON input", 1, false},
		"half-base64": {`echo '{"signMessage":{"signature":"MEU"}}'`, "illegal base64", 1, false},
		"junk-behind": {`echo '{"signMessage":{"signature":"MEUC"}} {}'`, "after top-level value", 1, false},
		"flooding":    {"head -c 50000000 /dev/zero", "invalid character", 1, false},
		"killed":      {"kill -9 $$", "signal: killed", 1, false},
		"hanging":     {"exec sleep 60", "no answer within", 1, true},
		"forking":     {"sleep 9 & exit 0", "no answer within", 1, true}, // what it leaves holds its output open
		"denying":     {`echo '{"errorMessage":"CKR_PIN_INCORRECT"}'; exit 1`, `"plugin returned error: CKR_PIN_INCORRECT"`, 1, false},
		"throttling":  {`echo '{"errorMessage":"status code: 429"}'; exit 1`, "429", 4, true},
		"colouring":   {`echo '{"errorMessage":"\u001b[2Jgone\u202e"}'; exit 1`, `\x1b[2Jgone\u202e`, 1, false},
		"telling":     {`printf '{"errorMessage":"my token is %s"}' "$WRIT_TEST_TOKEN"`, "my token is (value of WRIT_TEST_TOKEN)", 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("WRIT_TEST_TOKEN", "correct horse battery")
			calls := bin.path(name + ".calls")
			script := fmt.Sprintf("#!/bin/sh\ncase \"$2\" in *'\"methodName\":\"publicKey\"'*) exec cat %s;; esac\necho >> %s\n%s\n", answer, calls, c.script)
			testenv.WriteProgram(t, bin.path("sigstore-kms-"+name), []byte(script))
			o := signer.KeyOptions{Cert: cert, Pause: func(context.Context, time.Duration) error { return nil }}
			if strings.HasPrefix(c.want, "no answer") {
				// Enough for the public key, on a busy machine too, and waited for once.
				o.CallTime = 3 * time.Second
				o.Pause = func(context.Context, time.Duration) error { return errInterrupt }
			}
			key, err := signer.OpenKey(t.Context(), name+"://key", o)
			if err != nil {
				t.Fatal(err)
			}
			shop := newShop(t, key)
			_, err = signer.SignFile(t.Context(), shop.path, shop.Options)
			wantKeyError(t, err, c.want)
			var unavailable *signer.UnavailableError
			if errors.As(err, &unavailable) != c.mayPass || !strings.Contains(err.Error(), name+"://key") || len(err.Error()) > 700 {
				t.Errorf("whether it may pass: want %v, got %v", c.mayPass, err)
			}
			if n := len(must(os.ReadFile(calls))); n != c.calls {
				t.Errorf("%d calls, want %d", n, c.calls)
			}
			shop.wantUntouched()
		})
	}
}

// A plugin that is asked for the public key may answer badly, too.
func TestPluginsWithoutAPublicKeyAreRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: the plugins are shell scripts")
	}
	bin := newFiles(t)
	t.Setenv("PATH", bin.dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	for name, c := range map[string]struct{ script, want string }{
		"no-answer":     {"exit 0", "unexpected end of JSON input"},
		"no-key":        {"echo '{}'", "the answer lacks what was asked for"},
		"no-pem":        {`echo '{"publicKey":{"publicKeyPEM":"aGVsbG8="}}'`, "cannot get the public key"},
		"not-a-program": {"exit 0", "cannot get the public key"},
	} {
		t.Run(name, func(t *testing.T) {
			shebang := "#!/bin/sh\n"
			if name == "not-a-program" {
				shebang = "#!" + filepath.Join(bin.dir, "nothing") + "\n"
			}
			testenv.WriteProgram(t, bin.path("sigstore-kms-"+name), []byte(shebang+c.script+"\n"))
			_, err := signer.OpenKey(t.Context(), name+"://key", signer.KeyOptions{})
			wantKeyError(t, err, c.want)
		})
	}
}

// A link to a program lies in a folder that is guarded, and the program in one
// that every user may write to: whoever likes can put another one there.
func TestAttackPluginBehindALink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: there are no such modes")
	}
	bin, open := newFiles(t), newFiles(t)
	t.Setenv("PATH", bin.dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	called := bin.path("called")
	testenv.WriteProgram(t, open.path("program"), []byte("#!/bin/sh\necho >> "+called+"\n"))
	if err := os.Chmod(open.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(open.path("program"), bin.path("sigstore-kms-linked")); err != nil {
		t.Fatal(err)
	}
	_, err := signer.OpenKey(t.Context(), "linked://key", signer.KeyOptions{})
	wantKeyError(t, err, "every user may write to")
	if _, err := os.Stat(called); err == nil {
		t.Error("it was called")
	}
}
