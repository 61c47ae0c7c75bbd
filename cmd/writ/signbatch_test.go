package main

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// countingKey counts what it is asked for. Before is called with the number of each
// question; its error is the answer.
type countingKey struct {
	crypto.Signer
	asked  atomic.Int32
	before func(n int) error
}

func (k *countingKey) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if err := k.before(int(k.asked.Add(1))); err != nil {
		return nil, err
	}
	return k.Signer.Sign(r, digest, o)
}

// library is a folder of small PowerShell scripts, and how to sign it with a key.
type library struct {
	t      *testing.T
	files  []string
	key    *signer.Key
	count  *countingKey
	verify signer.VerifyFunc
	stderr bytes.Buffer
}

// batchKey makes the key of these tests: one is enough for all of them.
var batchKey = sync.OnceValues(func() (*newkeys.X509Key, error) {
	return newkeys.X509(newkeys.X509Options{Subject: "Batch", NotBefore: time.Now().Add(-time.Hour)})
})

func newLibrary(t *testing.T, n int, before func(int) error) *library {
	t.Helper()
	made, err := batchKey()
	if err != nil {
		t.Fatal(err)
	}
	l := &library{t: t, count: &countingKey{Signer: made.Key, before: before}}
	if l.key, err = signer.NewX509Key("test", l.count, made.Chain()); err != nil {
		t.Fatal(err)
	}
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "self", Room: verifier.RoomX509CA, Name: "key", Data: made.CAPEM})
	if err != nil {
		t.Fatal(err)
	}
	if l.verify, err = verifyFunc(trust, claimOptions{}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := range n {
		path := filepath.Join(dir, fmt.Sprintf("job-%03d.ps1", i))
		if err := os.WriteFile(path, fmt.Appendf(nil, "Write-Output %d\r\n", i), 0o600); err != nil {
			t.Fatal(err)
		}
		l.files = append(l.files, path)
	}
	return l
}

// sign is what "writ sign --key KEY DIR" does once the key is open; source is what
// the user would have written as KEY.
func (l *library) sign(ctx context.Context, source string) (render.Signing, string, error) {
	l.t.Helper()
	var stdout bytes.Buffer
	l.stderr.Reset()
	a := &app{stdout: &stdout, stderr: &l.stderr, now: time.Now}
	o := &signOptions{key: source, format: "auto"}
	r, err := render.New("text")
	if err != nil {
		l.t.Fatal(err)
	}
	all, err := a.forEach(ctx, o, r, l.key, l.files, func(ctx context.Context, path string) render.SignResult {
		return signOne(ctx, path, signer.Options{Format: o.formatFor(path, l.key), Key: l.key, Verify: l.verify})
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return all, stdout.String(), a.answerOnSigning(ctx, o, all, "are not signed")
}

func (l *library) valid() int {
	l.t.Helper()
	n := 0
	for _, path := range l.files {
		rb, err := runbook.ReadFile(path, false)
		if err != nil {
			l.t.Fatal(err)
		}
		switch _, err := l.verify(l.t.Context(), rb); {
		case err == nil:
			n++
		case !errors.Is(err, signer.ErrUnsigned):
			l.t.Errorf("%s is neither signed nor as it was: %v", path, err)
		}
	}
	return n
}

// A slow key, 500 files, an interruption in the middle, and the same command again.
func TestAnInterruptedBatchGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	const n, half = 500, 250
	ctx, interrupt := context.WithCancelCause(t.Context())
	reached := make(chan struct{})
	l := newLibrary(t, n, func(n int) error {
		if n == half {
			interrupt(errors.New("somebody pressed ^C"))
			close(reached)
		}
		if n >= half { // whoever asks together with or after the one that is interrupted
			<-reached
		}
		return nil
	})
	all, stdout, err := l.sign(ctx, "slow://key")
	if exitCode(err) != exitNoAnswer || !strings.Contains(err.Error(), "pressed ^C") {
		t.Errorf("%v, exit code %d", err, exitCode(err))
	}
	signed := all.Count(render.SignSigned)
	if signed < half || signed >= half+remoteJobs || signed+all.Count(render.SignNotReached) != n {
		t.Errorf("%d signed, %d not reached", signed, all.Count(render.SignNotReached))
	}
	if !strings.Contains(err.Error(), fmt.Sprintf("%d of %d files are not signed", n-signed, n)) || !strings.Contains(hintsOf(err)[0], "goes on where it stopped") {
		t.Errorf("%v: it does not say how far it came, or how to go on: %v", err, hintsOf(err))
	}
	if got := strings.Count(stdout, "signed "); got != signed {
		t.Errorf("%d lines for %d files", got, signed)
	}
	if got := l.valid(); got != signed {
		t.Errorf("%d files are valid, %d were signed", got, signed)
	}
	if got := int(l.count.asked.Load()); got != signed {
		t.Errorf("the key was asked %d times for %d signatures", got, signed)
	}

	all, _, err = l.sign(t.Context(), "slow://key")
	if err != nil || all.Count(render.SignUnchanged) != signed || all.Count(render.SignSigned) != n-signed {
		t.Errorf("the second time: %d unchanged, %d signed, %v", all.Count(render.SignUnchanged), all.Count(render.SignSigned), err)
	}
	if l.valid() != n || l.count.asked.Load() != n {
		t.Errorf("%d of %d files are signed, the key was asked %d times", l.valid(), n, l.count.asked.Load())
	}
	entries, err := os.ReadDir(filepath.Dir(l.files[0]))
	if err != nil || len(entries) != n {
		t.Errorf("%d files in the folder, %v", len(entries), err)
	}
}

func TestAKeyThatIsDeniedIsAskedOnce(t *testing.T) {
	t.Parallel()
	denied := &signer.KeyError{Source: "slow://key", Msg: "denied: this caller may not sign"}
	l := newLibrary(t, 500, func(int) error { return denied })
	all, stdout, err := l.sign(t.Context(), "slow://key")
	if exitCode(err) != exitMalformed {
		t.Errorf("%v, exit code %d", err, exitCode(err))
	}
	if got := l.count.asked.Load(); got != 1 {
		t.Errorf("the key was asked %d times", got)
	}
	if all.Count(render.SignFailed) != 1 || all.Count(render.SignNotReached) != 499 || stdout != "" || !strings.HasSuffix(all.Stopped, denied.Error()) {
		t.Errorf("%d failed, %d not reached, %q, stopped: %q", all.Count(render.SignFailed), all.Count(render.SignNotReached), stdout, all.Stopped)
	}
	if !strings.Contains(l.stderr.String(), denied.Error()) || !strings.Contains(strings.Join(hintsOf(err), " "), "499 files were not tried") {
		t.Errorf("%q, hints %v", l.stderr.String(), hintsOf(err))
	}
	if l.valid() != 0 {
		t.Error("a file was changed")
	}
}

func TestAKeyThatIsDeniedInTheMiddleIsNotAskedForTheRest(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, 200, func(n int) error {
		if n > 100 {
			return &signer.KeyError{Source: "slow://key", Msg: "denied: the grant has ended"}
		}
		return nil
	})
	all, _, err := l.sign(t.Context(), "slow://key")
	if exitCode(err) != exitMalformed || all.Count(render.SignSigned) != 100 || l.valid() != 100 {
		t.Errorf("%v, %d signed, %d valid", err, all.Count(render.SignSigned), l.valid())
	}
	if got := l.count.asked.Load(); got > 100+remoteJobs {
		t.Errorf("the key was asked %d times", got)
	}
}

// One bad file among many is that file's affair, and the order is that of the inputs.
func TestABadFileDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, 20, func(int) error { return nil })
	if err := os.WriteFile(l.files[7], []byte("one\r\n# SIG # Begin signature block\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, stdout, err := l.sign(t.Context(), "slow://key")
	if exitCode(err) != exitNo || all.Count(render.SignSigned) != 19 || all.Files[7].State != render.SignFailed || all.Files[7].Line == 0 {
		t.Errorf("%v, %d signed, %+v", err, all.Count(render.SignSigned), all.Files[7])
	}
	var want []string
	for i, path := range l.files {
		if i != 7 {
			want = append(want, "signed    "+path)
		}
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")); diff != "" {
		t.Error(diff)
	}
}

// An expired certificate spoils every file: the first signature shows it.
func TestAnExpiredCertificateStopsTheBatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	expired, err := newkeys.X509(newkeys.X509Options{Subject: "Old", NotBefore: time.Now().AddDate(-2, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, cert := write("key.pem", expired.KeyPEM), write("cert.pem", expired.ChainPEM())
	args := []string{"sign", "--jobs", "1", "--key", key, "--cert", cert}
	for i := range 50 {
		args = append(args, write(fmt.Sprintf("%02d.ps1", i), []byte("Get-Date\r\n")))
	}
	var stdout, stderr bytes.Buffer
	code := execute(t.Context(), &app{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, now: time.Now}, args)
	if code != exitMalformed || stdout.Len() > 0 || !strings.Contains(stderr.String(), "49 files were not tried") {
		t.Errorf("exit code %d, %q, %q", code, stdout.String(), stderr.String())
	}
}

func TestFilesThatAreReachedTwiceAreSignedOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o750); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a/one.ps1", "a/b/two.ps1"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("Get-Date\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("b", filepath.Join(dir, "a", "link")); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	o := &signOptions{format: "authenticode", paths: []string{
		at("a"), at("a/b"), at("a/./one.ps1"), at("a/link/two.ps1"), at("a/b/../one.ps1"), at("a/missing.ps1"), at("a/missing.ps1"),
	}}
	a := &app{stderr: io.Discard}
	got, err := a.filesToSign(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{at("a/b/two.ps1"), at("a/one.ps1"), at("a/missing.ps1")}, got); diff != "" {
		t.Error(diff)
	}
}

func TestHowManyFilesAreSignedAtATimeIsAQuestionOfTheKey(t *testing.T) {
	t.Parallel()
	const gpg = "gpg:0123456789ABCDEF0123456789ABCDEF01234567"
	for name, c := range map[string]struct {
		options signOptions
		jobs    int
		careful bool
	}{
		"a key file":                        {signOptions{key: "key.pem"}, localJobs * workers(), false},
		"a key in a variable":               {signOptions{key: "env://KEY"}, localJobs * workers(), false},
		"a key in a KMS":                    {signOptions{key: "awskms://key"}, remoteJobs, true},
		"a key in a KMS, as the user says":  {signOptions{key: "awskms://key", batch: batchOptions{jobs: 3}}, 3, true},
		"a key file, as the user says":      {signOptions{key: "key.pem", batch: batchOptions{jobs: 3}}, 3, false},
		"GnuPG, whatever the user says":     {signOptions{key: gpg, batch: batchOptions{jobs: 3}}, 1, false},
		"questions, whatever the user says": {signOptions{key: "key.asc", normalizeOptions: normalizeOptions{normalize: true}, batch: batchOptions{jobs: 3}}, 1, false},
		"a look with a key in a KMS":        {signOptions{key: "awskms://key", check: true}, localJobs * workers(), false},
		"a look without a key":              {signOptions{check: true}, localJobs * workers(), false},
	} {
		got := c.options.sharing()
		if got.Jobs != c.jobs || got.Careful != c.careful || got.Grace != graceTime {
			t.Errorf("%s: %d jobs, careful %v", name, got.Jobs, got.Careful)
		}
	}
}
