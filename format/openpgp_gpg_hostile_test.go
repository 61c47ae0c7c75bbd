package format_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/signer"
)

// These tests put a hostile gpg.conf, or a program in the place of gpg, before the
// real one; GNUPGHOME and PATH are the process's own, so they cannot run in parallel.

// gpgConfs are lines of gpg.conf that change what gpg signs or writes.
func gpgConfs(other string) []string {
	return []string{
		"digest-algo SHA1", "digest-algo SHA256", "personal-digest-preferences SHA1", "cert-digest-algo SHA1",
		"sig-notation evil@example.test=1", "sig-notation !evil@example.test=1", "set-notation evil@example.test=1", "cert-notation evil@example.test=1",
		"sig-policy-url http://example.test", "sig-policy-url !http://example.test", "set-policy-url http://example.test", "sig-keyserver-url http://example.test",
		"comment evil", "armor", "textmode", "no-textmode", "default-key " + other, "local-user " + other, "default-recipient-self",
		"sender a@example.test", "default-sig-expire 1d\nask-sig-expire", "faked-system-time 20240701T000000", "output evil", "detach-sign",
		"pinentry-mode cancel", "no-such-option", "emit-version", "status-fd 1", "logger-fd 1", "verbose\nverbose", "display-charset iso-8859-1",
		"agent-program /nonexistent", "no-default-keyring", "keyring /nonexistent", "batch\nno-tty", "force-v3-sigs", "rfc2440", "pgp6",
		"include-key-block", "cipher-algo 3DES", "s2k-count 65011712", "clear-sign", "exit-on-status-write-error", "require-cross-certification",
	}
}

func TestNoLineOfAGPGConfChangesASignature(t *testing.T) { //nolint:paralleltest // GNUPGHOME
	g := agentHome(t)
	e, other := pgpEntity(t, "ed25519"), pgpEntity(t, "ed25519")
	g.importSecret(e, "")
	g.importSecret(other, "")
	key := openGPG(t, hexOf(e.PrimaryKey), signer.KeyOptions{})
	for _, conf := range gpgConfs(hexOf(other.PrimaryKey)) {
		g.write("gpg.conf", conf+"\n")
		signed, err := signByGPG(t.Context(), t, "deploy.sh", gpgText, key)
		g.write("gpg.conf", "")
		if err != nil {
			t.Errorf("%s: %v", conf, err)
			continue
		}
		mustBePlain(t, conf, signed)
	}
}

// mustBePlain checks that a signature says what ours say, and nothing else.
func mustBePlain(t *testing.T, name string, signed []byte) {
	t.Helper()
	doc, err := cleartext.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	p, rest, err := pgpcert.NextPacket(doc.Signature())
	if err != nil || len(rest) > 0 {
		t.Fatalf("%s: %v, %d bytes more", name, err, len(rest))
	}
	hashed, unhashed, err := pgpcert.Subpackets(p.Body)
	if err != nil {
		t.Fatal(err)
	}
	kinds := func(list []pgpcert.Subpacket) (all []byte) {
		for _, s := range list {
			all = append(all, s.Kind)
			if s.Critical {
				t.Errorf("%s: subpacket %d is critical", name, s.Kind)
			}
		}
		slices.Sort(all)
		return all
	}
	if !bytes.Equal(kinds(hashed), []byte{2, 20, 20, 33}) || !bytes.Equal(kinds(unhashed), []byte{16}) {
		t.Errorf("%s: hashed %v, unhashed %v", name, kinds(hashed), kinds(unhashed))
	}
	if !bytes.Equal(p.Body[:4], []byte{4, 1, 22, 10}) {
		t.Errorf("%s: version, type, algorithm and hash are %v", name, p.Body[:4])
	}
}

// TestAGPGThatObeysItsConfigurationIsFoundOut: the same lines, given to a gpg
// that does not ignore them. What it makes is right, or thrown away.
func TestAGPGThatObeysItsConfigurationIsFoundOut(t *testing.T) { //nolint:paralleltest // GNUPGHOME
	g := agentHome(t)
	e, other := pgpEntity(t, "ed25519"), pgpEntity(t, "ed25519")
	g.importSecret(e, "")
	g.importSecret(other, "")
	standIn(t, `[ "$1" = --no-options ] && shift; exec "$GPG" "$@"`)
	refused := 0
	key := openGPG(t, hexOf(e.PrimaryKey), signer.KeyOptions{})
	for _, conf := range gpgConfs(hexOf(other.PrimaryKey)) {
		g.write("gpg.conf", conf+"\n")
		signed, err := signByGPG(t.Context(), t, "deploy.sh", gpgText, key)
		g.write("gpg.conf", "")
		var keyError *signer.KeyError
		switch {
		case err == nil:
			mustBePlain(t, conf, signed)
		case errors.As(err, &keyError) && signed == nil:
			refused++
			key = openGPG(t, hexOf(e.PrimaryKey), signer.KeyOptions{}) // the old one is not asked again
		default:
			t.Errorf("%s: %v", conf, err)
		}
	}
	if refused < 10 {
		t.Errorf("only %d lines had an effect: the stand-in does not obey them", refused)
	}
	t.Logf("%d lines refused", refused)
}

// standIn puts a shell script in the place of gpg, which it may call as $GPG.
func standIn(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	testenv.WriteProgram(t, filepath.Join(dir, "gpg"), []byte("#!/bin/sh\nGPG="+testenv.Tool(t, "gpg")+"\n"+script+"\n"))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// TestWhatGPGAnswersIsNotBelieved: the stand-in answers the questions about the
// key truthfully and then signs in its own way.
func TestWhatGPGAnswersIsNotBelieved(t *testing.T) { //nolint:paralleltest // GNUPGHOME
	testenv.Tool(t, "python3")
	g := agentHome(t)
	e, other := pgpEntity(t, "ed25519"), pgpEntity(t, "ed25519")
	g.importSecret(e, "")
	g.importSecret(other, "")
	g.write("other", hexOf(other.PrimaryKey))
	testenv.Tool(t, "python3")
	const unsigned = `import sys
d = sys.stdin.buffer.read()
b = bytearray(d[2 if d[0] == 0x88 else 3:])
at = 6 + b[4] * 256 + b[5] # the length of what is not hashed
n = b[at] * 256 + b[at + 1]
b[at + 2 + n:at + 2 + n] = b"\x02\x1ax" # a policy URL
b[at:at + 2] = (n + 3).to_bytes(2, "big")
sys.stdout.buffer.write(b"\x89" + len(b).to_bytes(2, "big") + b)`
	const truthful = `case " $* " in *" --detach-sign "*) ;; *) exec "$GPG" "$@" ;; esac; `
	for name, c := range map[string]struct{ script, want string }{
		"nothing":                     {truthful + `cat >/dev/null`, "not a well-made"},
		"a success without reading":   {truthful + `exit 0`, "not a well-made"},
		"words":                       {truthful + `cat >/dev/null; echo good`, "not a well-made"},
		"armor":                       {truthful + `exec "$GPG" "$@" --armor`, ""},
		"a flood":                     {truthful + `cat >/dev/null; exec head -c 100000000 /dev/zero`, "more than 65536 bytes"},
		"two signatures":              {truthful + `cat > "$GNUPGHOME/t"; "$GPG" "$@" < "$GNUPGHOME/t"; "$GPG" "$@" < "$GNUPGHOME/t"`, "not one signature packet alone"},
		"a signature of another text": {truthful + `sed 's/x/y/' | "$GPG" "$@"`, "not a good signature"},
		"a cut text":                  {truthful + `head -c 10 | "$GPG" "$@"`, "not a good signature"},
		"a binary signature":          {truthful + `exec "$GPG" $(echo " $* " | sed 's/ --textmode / /')`, "type 0x00"},
		"SHA-256":                     {truthful + `exec "$GPG" $(echo " $* " | sed 's/ SHA512 / SHA256 /')`, "with SHA256"},
		"one more notation":           {truthful + `exec "$GPG" --sig-notation evil@example.test=1 "$@"`, "type 20 that was not asked for"},
		"a critical notation":         {truthful + `exec "$GPG" --sig-notation '!evil@example.test=1' "$@"`, "critical"},
		"no notation":                 {truthful + `exec "$GPG" $(echo " $* " | sed 's/ --sig-notation [^ ]* / /')`, "is missing"},
		"an expiry":                   {truthful + `exec "$GPG" --default-sig-expire 1d "$@"`, "critical statement of type 3"},
		"a policy":                    {truthful + `exec "$GPG" --sig-policy-url http://example.test "$@"`, "type 26 that was not asked for"},
		"a policy that is not signed": {truthful + `"$GPG" "$@" | python3 -c '` + unsigned + `'`, "type 26 that was not asked for, and is not signed"},
		"another date":                {truthful + `exec "$GPG" --faked-system-time 20240701T000000! "$@"`, "it is dated 2024-07-01"},
		"another key":                 {truthful + `exec "$GPG" $(echo " $* " | sed "s/--local-user [0-9A-F]*!/--local-user $(cat "$GNUPGHOME/other")/")`, "not asked for"},
		"two keys":                    {truthful + `exec "$GPG" --local-user "$(cat "$GNUPGHOME/other")" "$@"`, "not one signature packet alone"},
		"a good one, and a failure":   {truthful + `"$GPG" "$@"; exit 2`, "gpg failed"},
		"words for the terminal":      {truthful + `printf '\033[2J\033]0;evil\007\nerror: all is well\n' >&2; exit 2`, `\x1b[2J`},
		"endless words":               {truthful + `head -c 1000000 /dev/zero | tr '\0' x >&2; exit 2`, "xxx..."},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // GNUPGHOME
			standIn(t, c.script)
			signed, err := signByGPG(t.Context(), t, "deploy.sh", gpgText, openGPG(t, hexOf(e.PrimaryKey), signer.KeyOptions{}))
			var refused *signer.KeyError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) || signed != nil || len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("%v, want *KeyError with %q", err, c.want)
			}
		})
	}
}

func TestAGPGThatIsNoGPGIsRefused(t *testing.T) { //nolint:paralleltest // PATH
	source := "gpg:" + strings.Repeat("0", 40)
	for name, c := range map[string]struct{ script, want string }{
		"one that refuses every question": {`echo "error: this stand-in takes one command line only" >&2; exit 2`, "writ gpg-shim"},
		"one that says nothing":           {`exit 0`, "not GnuPG 2.1 or later"},
		"GnuPG 1.4":                       {`echo "gpg (GnuPG) 1.4.23"`, "not GnuPG 2.1 or later"},
		"GnuPG 2.0":                       {`echo "gpg (GnuPG) 2.0.30"`, "not GnuPG 2.1 or later"},
		"a flood":                         {`exec head -c 100000000 /dev/zero`, "not GnuPG 2.1 or later"},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // PATH
			standIn(t, c.script)
			var refused *signer.KeyError
			if _, err := signer.OpenKey(t.Context(), source, signer.KeyOptions{}); !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want *KeyError with %q", err, c.want)
			}
		})
	}
	t.Run("this program itself", func(t *testing.T) { //nolint:paralleltest // PATH
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.Symlink(self, filepath.Join(dir, "gpg")); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", dir)
		if _, err := signer.OpenKey(t.Context(), source, signer.KeyOptions{}); err == nil || !strings.Contains(err.Error(), "stand-in") {
			t.Error(err)
		}
	})
	t.Run("a relative entry of PATH", func(t *testing.T) { //nolint:paralleltest // PATH
		standIn(t, `echo "gpg (GnuPG) 2.2.40"`)
		dir, _, _ := strings.Cut(os.Getenv("PATH"), string(os.PathListSeparator))
		t.Chdir(filepath.Dir(dir))
		t.Setenv("PATH", filepath.Base(dir))
		if _, err := signer.OpenKey(t.Context(), source, signer.KeyOptions{}); err == nil || !strings.Contains(err.Error(), "relative entry of PATH") {
			t.Error(err)
		}
	})
	t.Run("none", func(t *testing.T) { //nolint:paralleltest // PATH
		t.Setenv("PATH", t.TempDir())
		if _, err := signer.OpenKey(t.Context(), source, signer.KeyOptions{}); err == nil || !strings.Contains(err.Error(), "is not found: install GnuPG") {
			t.Error(err)
		}
	})
}

func TestAGPGThatHangsIsEndedWithTheContext(t *testing.T) { //nolint:paralleltest // GNUPGHOME
	g := agentHome(t)
	e := pgpEntity(t, "ed25519")
	g.importSecret(e, "")
	standIn(t, `case " $* " in *" --detach-sign "*) exec sleep 1000 ;; *) exec "$GPG" "$@" ;; esac`)
	key := openGPG(t, hexOf(e.PrimaryKey), signer.KeyOptions{})
	stop := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, stop)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := signByGPG(ctx, t, "a.sh", gpgText, key)
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, stop) {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("gpg was not ended")
	}
}

// TestTheLinkersVariablesDoNotReachGPG: what is passed on is a list of names.
func TestTheLinkersVariablesDoNotReachGPG(t *testing.T) { //nolint:paralleltest // environment
	g := agentHome(t)
	e := pgpEntity(t, "ed25519")
	g.importSecret(e, "")
	t.Setenv("LD_LIBRARY_PATH", "/nonexistent")
	t.Setenv("WRIT_SECRET", "x")
	t.Setenv("GPG_TTY", "/dev/mine")
	standIn(t, `env >> "$GNUPGHOME/env"; exec "$GPG" "$@"`)
	key := openGPG(t, hexOf(e.PrimaryKey), signer.KeyOptions{Terminal: "/dev/other"})
	if _, err := signByGPG(t.Context(), t, "a.sh", gpgText, key); err != nil {
		t.Fatal(err)
	}
	env, err := os.ReadFile(filepath.Join(g.home, "env"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"GPG_TTY=/dev/mine\n", "GNUPGHOME="} {
		if !bytes.Contains(env, []byte(want)) {
			t.Errorf("%q is missing:\n%s", want, env)
		}
	}
	for _, leak := range []string{"LD_LIBRARY_PATH", "WRIT_SECRET", "/dev/other"} {
		if bytes.Contains(env, []byte(leak)) {
			t.Errorf("%q is passed on", leak)
		}
	}
}
