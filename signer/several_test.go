//go:build !nosigstore

package signer_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// both is all that signing in place and with a bundle takes, by one key.
func both(t testing.TB) (inside, beside signer.Options) {
	t.Helper()
	k := newX509(t, "p256")
	key, err := signer.NewX509Key("test key", k.Key, k.Chain())
	if err != nil {
		t.Fatal(err)
	}
	authenticode := format.NewAuthenticode()
	authenticode.Now = clock
	trust, err := verifier.NewTrust(
		verifier.TrustFile{Store: "self", Room: verifier.RoomX509CA, Name: "key", Data: must(key.Anchor())},
		verifier.TrustFile{Store: "self", Room: verifier.RoomSigstore, Name: "key.pub", Data: must(key.PublicPEM())})
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{authenticode, format.NewSigstore()}, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	verify := func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
		verified, err := v.Verify(ctx, rb)
		var no *verifier.UnverifiedError
		if errors.As(err, &no) && no.Report.Verdict == verifier.Unsigned {
			return nil, signer.ErrUnsigned
		}
		if err != nil {
			return nil, err
		}
		out := &signer.Verification{Payload: verified.Payload()}
		for _, s := range verified.Report().Signatures {
			if s.Verdict == verifier.Valid {
				out.Signers, out.Formats = append(out.Signers, s.Signer.IDs...), append(out.Formats, s.Format)
			}
		}
		return out, nil
	}
	return signer.Options{Format: authenticode, Key: key, Verify: verify}, signer.Options{Format: format.NewSigstore(), Key: key, Verify: verify}
}

func script(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.ps1")
	if err := os.WriteFile(path, []byte("Write-Host 'hello'\r\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

// judged wants the file with its bundle valid in both formats.
func judged(t testing.TB, path string, o signer.Options) {
	t.Helper()
	v, err := o.Verify(t.Context(), must(runbook.ReadFileWithSidecars(path, false)))
	if err != nil || !slices.Equal(v.Formats, []string{"authenticode", "sigstore"}) {
		t.Fatalf("%+v, %v", v, err)
	}
}

func TestAFileIsSignedInSeveralFormatsAtOnce(t *testing.T) {
	t.Parallel()
	inside, beside := both(t)
	for name, all := range map[string][]signer.Options{"in order": {inside, beside}, "in the other order": {beside, inside}} {
		path := script(t)
		outcomes, err := signer.SignInFormats(t.Context(), path, all...)
		if err != nil || len(outcomes) != 2 || outcomes[0].Unchanged || outcomes[1].Unchanged {
			t.Fatalf("%s: %+v, %v", name, outcomes, err)
		}
		if outcomes[slices.IndexFunc(all, func(o signer.Options) bool { return o.Format.Name() == "sigstore" })].Path != path+".sigstore.json" {
			t.Errorf("%s: %+v", name, outcomes)
		}
		judged(t, path, inside)
		if info := must(os.Stat(path + ".sigstore.json")); info.Mode().Perm() != 0o640 && runtime.GOOS != "windows" {
			t.Errorf("the bundle has the mode %v", info.Mode())
		}
		before := must(os.ReadFile(path))
		outcomes, err = signer.SignInFormats(t.Context(), path, all...)
		if err != nil || !outcomes[0].Unchanged || !outcomes[1].Unchanged || !bytes.Equal(before, must(os.ReadFile(path))) {
			t.Errorf("%s, a second time: %+v, %v", name, outcomes, err)
		}
	}
}

// TestWhatIsMissingIsSigned: one of the signatures is there, and good.
func TestWhatIsMissingIsSigned(t *testing.T) {
	t.Parallel()
	inside, beside := both(t)
	path := script(t)
	if _, err := signer.SignFile(t.Context(), path, inside); err != nil {
		t.Fatal(err)
	}
	signed := must(os.ReadFile(path))
	outcomes, err := signer.SignInFormats(t.Context(), path, inside, beside)
	if err != nil || !outcomes[0].Unchanged || outcomes[1].Unchanged || !bytes.Equal(signed, must(os.ReadFile(path))) {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	judged(t, path, inside)
	// The script is edited: both signatures are made anew, although the bundle is of
	// something else.
	if err := os.WriteFile(path, append([]byte("# edited\r\n"), signed...), 0o640); err != nil {
		t.Fatal(err)
	}
	outcomes, err = signer.SignInFormats(t.Context(), path, inside, beside)
	if err != nil || outcomes[0].Unchanged || outcomes[1].Unchanged {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	judged(t, path, inside)
}

// TestAFileWithABundleIsNotChangedBehindItsBack: the bundle would not fit any more.
func TestAFileWithABundleIsNotChangedBehindItsBack(t *testing.T) {
	t.Parallel()
	inside, beside := both(t)
	path := script(t)
	if _, err := signer.SignInFormats(t.Context(), path, inside, beside); err != nil {
		t.Fatal(err)
	}
	signed := must(os.ReadFile(path))
	if outcome, err := signer.SignFile(t.Context(), path, inside); err != nil || !outcome.Unchanged {
		t.Errorf("what is signed already stays: %+v, %v", outcome, err)
	}
	again := inside
	again.Force = true
	unsign := func() error {
		_, err := signer.UnsignFile(t.Context(), path, inside.Format.(signer.Unsigner), func(context.Context, *runbook.Runbook) error { return nil })
		return err
	}
	add := func() error {
		_, err := signer.AppendFile(t.Context(), path, signer.AppendOptions{Format: inside.Format.(signer.Appender), Key: inside.Key, Before: inside.Verify, After: inside.Verify, Force: true})
		return err
	}
	for name, change := range map[string]func() error{
		"sign again": func() error { _, err := signer.SignFile(t.Context(), path, again); return err }, "unsign": unsign, "append": add,
	} {
		var input *signer.InputError
		if err := change(); !errors.As(err, &input) || !strings.Contains(err.Error(), "a.ps1.sigstore.json lies beside it") || input.Fix == "" {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(signed, must(os.ReadFile(path))) {
			t.Errorf("%s has changed the file", name)
		}
	}
}

// failing is a format that cannot sign.
type failing struct{ signer.Beside }

func (failing) Sign(context.Context, *runbook.Runbook, *signer.Key) ([]byte, error) {
	return nil, errors.New("out of order")
}

// breaking does something just before the signature is returned.
type breaking struct {
	signer.Beside
	do func()
}

func (b breaking) Sign(ctx context.Context, rb *runbook.Runbook, key *signer.Key) ([]byte, error) {
	b.do()
	return b.Beside.Sign(ctx, rb, key)
}

func TestNothingIsWrittenUnlessAllIsSigned(t *testing.T) {
	t.Parallel()
	inside, beside := both(t)
	good := beside.Format.(signer.Beside)
	stranger, _ := both(t)
	for name, tt := range map[string]func(path string) []signer.Options{
		"the second format cannot sign": func(string) []signer.Options {
			o := beside
			o.Format = failing{good}
			return []signer.Options{inside, o}
		},
		"the second signature is a stranger's": func(string) []signer.Options {
			o := beside
			o.Key = stranger.Key
			return []signer.Options{inside, o}
		},
		"what lies beside is something else": func(path string) []signer.Options {
			if err := os.WriteFile(path+".sigstore.json", []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
			return []signer.Options{inside, beside}
		},
		"the file changes meanwhile": func(path string) []signer.Options {
			o := beside
			o.Format = breaking{good, func() { _ = os.WriteFile(path, []byte("Write-Host 'other'\r\n"), 0o600) }}
			return []signer.Options{inside, o}
		},
		"two formats for one file": func(string) []signer.Options { return []signer.Options{inside, inside} },
		"no format":                func(string) []signer.Options { return nil },
		"no key":                   func(string) []signer.Options { return []signer.Options{inside, {Format: good, Verify: inside.Verify}} },
	} {
		t.Run(name, func(t *testing.T) {
			path := script(t)
			all := tt(path)
			if outcomes, err := signer.SignInFormats(t.Context(), path, all...); err == nil || outcomes != nil {
				t.Fatalf("%+v, %v", outcomes, err)
			}
			if bytes.Contains(must(os.ReadFile(path)), []byte("SIG # Begin")) {
				t.Error("the file was signed")
			}
			if entries := must(os.ReadDir(filepath.Dir(path))); len(entries) > 2 {
				t.Errorf("left behind: %v", entries)
			}
		})
	}
}

// TestAFailureInBetweenIsSaidAndGoneOnWith: the file is signed, and then its bundle
// cannot be put there.
func TestAFailureInBetweenIsSaidAndGoneOnWith(t *testing.T) {
	t.Parallel()
	inside, beside := both(t)
	path := script(t)
	broken := beside
	broken.Format = breaking{beside.Format.(signer.Beside), func() {
		if err := os.WriteFile(path+".sigstore.json", []byte("somebody else's"), 0o600); err != nil {
			t.Error(err)
		}
	}}
	_, err := signer.SignInFormats(t.Context(), path, inside, broken)
	if err == nil || !strings.Contains(err.Error(), "a.ps1\" is signed, and the signature in format sigstore is not there: sign again") {
		t.Fatal(err)
	}
	if err := os.Remove(path + ".sigstore.json"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	outcomes, err := signer.SignInFormats(t.Context(), path, inside, beside)
	if err != nil || !outcomes[0].Unchanged || outcomes[1].Unchanged {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	judged(t, path, inside)
}

// TestAttackASignatureInsideDoesNotPassForABundle: the one inside is the key's own
// and valid, the one beside a stranger's.
func TestAttackASignatureInsideDoesNotPassForABundle(t *testing.T) {
	t.Parallel()
	inside, beside := both(t)
	_, stranger := both(t)
	path := script(t)
	if _, err := signer.SignFile(t.Context(), path, inside); err != nil {
		t.Fatal(err)
	}
	stranger.Verify = func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
		return &signer.Verification{Payload: rb.Bytes(), Signers: stranger.Key.IDs(), Formats: []string{"sigstore"}}, nil
	}
	if _, err := signer.SignFile(t.Context(), path, stranger); err != nil {
		t.Fatal(err)
	}
	if found, err := signer.CheckFile(t.Context(), path, beside.Format, beside.Verify); err != nil || found.State != signer.StateStale {
		t.Errorf("a check says %+v, %v", found, err)
	}
	if outcome, err := signer.SignFile(t.Context(), path, beside); err != nil || outcome.Unchanged {
		t.Errorf("%+v, %v", outcome, err)
	}
	judged(t, path, inside)
}
