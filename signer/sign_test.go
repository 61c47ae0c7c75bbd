package signer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

func clock() time.Time { return created().AddDate(0, 1, 0) }

// studio is all that signing in one format takes, with our own verifier.
type studio struct {
	signer.Options
	in, out string // file names
	text    []byte
}

func authenticode(t testing.TB) studio {
	t.Helper()
	k := newX509(t, "p256")
	key, err := signer.NewX509Key("test key", k.Key, k.Chain())
	if err != nil {
		t.Fatal(err)
	}
	f := format.NewAuthenticode()
	f.Now = clock
	verify := ownVerifier(t, key, verifier.RoomX509CA, f)
	return studio{signer.Options{Format: f, Key: key, Verify: verify}, "a.ps1", "a.ps1", []byte("Write-Host 'hello'\r\n")}
}

func clearsign(t testing.TB) studio {
	t.Helper()
	e := must(newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "writ test", Created: created()}))
	key, err := signer.NewOpenPGPKey("test key", e)
	if err != nil {
		t.Fatal(err)
	}
	f := format.NewClearsign()
	f.Now = clock
	verify := ownVerifier(t, key, verifier.RoomOpenPGP, f)
	return studio{signer.Options{Format: f, Key: key, Verify: verify}, "a.sh", "a.sh.asc", []byte("echo hello\n")}
}

func ownVerifier(t testing.TB, key *signer.Key, room verifier.Room, f verifier.Format) signer.VerifyFunc {
	t.Helper()
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "self", Room: room, Name: "key.pem", Data: must(key.Anchor())})
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{f}, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
		verified, err := v.Verify(ctx, rb)
		var no *verifier.UnverifiedError
		if errors.As(err, &no) && no.Report.Verdict == verifier.Unsigned {
			return nil, fmt.Errorf("%s: %w", rb.Name(), signer.ErrUnsigned)
		}
		if err != nil {
			return nil, err
		}
		out := &signer.Verification{Payload: verified.Payload()}
		for _, s := range verified.Report().Signatures {
			if s.Verdict == verifier.Valid {
				out.Signers = append(out.Signers, s.Signer.IDs...)
				out.Formats = append(out.Formats, s.Format)
			}
		}
		return out, nil
	}
}

// eachFormat runs a test for signing in place and for signing beside.
func eachFormat(t *testing.T, test func(t *testing.T, s studio)) {
	t.Helper()
	for name, make := range map[string]func(testing.TB) studio{"authenticode": authenticode, "clearsign": clearsign} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, make(t))
		})
	}
}

func TestSignedFileIsValidAndKeepsItsMode(t *testing.T) {
	t.Parallel()
	eachFormat(t, func(t *testing.T, s studio) {
		dir := newFiles(t)
		path := dir.write(s.in, s.text)
		if err := os.Chmod(path, 0o751); err != nil {
			t.Fatal(err)
		}
		outcome, err := signer.SignFile(t.Context(), path, s.Options)
		if err != nil || outcome != (signer.Outcome{Path: dir.path(s.out), Content: runbook.DigestOf(s.text)}) {
			t.Fatalf("%+v, %v", outcome, err)
		}
		info := must(os.Stat(dir.path(s.out)))
		if info.Mode().Perm() != 0o751 {
			t.Errorf("mode %v", info.Mode())
		}
		if _, err := s.Verify(t.Context(), must(runbook.ReadFile(dir.path(s.out), false))); err != nil {
			t.Error(err)
		}
		if s.in != s.out && !bytes.Equal(dir.read(s.in), s.text) {
			t.Error("the runbook itself changed")
		}
		if diff := cmp.Diff(slices.Compact([]string{s.in, s.out}), dir.names()); diff != "" {
			t.Error(diff)
		}

		again, err := signer.SignFile(t.Context(), path, s.Options)
		if err != nil || !again.Unchanged {
			t.Fatalf("second time: %+v, %v", again, err)
		}
		if now := must(os.Stat(dir.path(s.out))); !os.SameFile(info, now) || !now.ModTime().Equal(info.ModTime()) {
			t.Error("the file was written again")
		}
		s.Force = true
		if again, err = signer.SignFile(t.Context(), path, s.Options); err != nil || again.Unchanged {
			t.Fatalf("with force: %+v, %v", again, err)
		}
		if now := must(os.Stat(dir.path(s.out))); os.SameFile(info, now) || now.Mode() != info.Mode() {
			t.Error("with force the file was not replaced, or its mode changed")
		}
	})
}

func TestStaleSignatureIsReplacedAndTheTextKept(t *testing.T) {
	t.Parallel()
	eachFormat(t, func(t *testing.T, s studio) {
		dir := newFiles(t)
		path := dir.write(s.in, s.text)
		must(signer.SignFile(t.Context(), path, s.Options))
		before := dir.read(s.in)
		dir.write(s.in, append([]byte("# changed\r\n"[:9]+"\n"), before...))
		outcome, err := signer.SignFile(t.Context(), path, s.Options)
		if err != nil || outcome.Unchanged {
			t.Fatalf("%+v, %v", outcome, err)
		}
		signed := dir.read(s.out)
		if !bytes.Contains(signed, append([]byte("# changed\n"), bytes.TrimSpace(s.text)...)) || bytes.Count(signed, []byte("# SIG # Begin")) > 1 {
			t.Errorf("signed:\n%s", signed)
		}
	})
}

func TestAnotherSignersFileIsSignedAnew(t *testing.T) {
	t.Parallel()
	eachFormat(t, func(t *testing.T, s studio) {
		other := authenticode(t)
		if s.in != s.out {
			other = clearsign(t)
		}
		dir := newFiles(t)
		path := dir.write(s.in, s.text)
		must(signer.SignFile(t.Context(), path, other.Options))
		if outcome, err := signer.SignFile(t.Context(), path, s.Options); err != nil || outcome.Unchanged {
			t.Errorf("%+v, %v", outcome, err)
		}
	})
}

// refused signs, wants an error of type E that contains want, and nothing else
// than was there before.
func refused[E error](t *testing.T, dir files, path string, o signer.Options, want string) {
	t.Helper()
	names := dir.names()
	content := map[string][]byte{}
	for _, name := range names {
		content[name], _ = os.ReadFile(dir.path(name))
	}
	_, err := signer.SignFile(t.Context(), path, o)
	var kind E
	if !errors.As(err, &kind) || !strings.Contains(err.Error(), want) {
		t.Errorf("want %T with %q, got %v", kind, want, err)
	}
	if diff := cmp.Diff(names, dir.names()); diff != "" {
		t.Error("left behind: " + diff)
	}
	for name, data := range content {
		if now, _ := os.ReadFile(dir.path(name)); !bytes.Equal(now, data) {
			t.Errorf("%s changed to:\n%s", name, now)
		}
	}
}

func TestWhatDoesNotVerifyIsThrownAway(t *testing.T) {
	t.Parallel()
	eachFormat(t, func(t *testing.T, s studio) {
		valid := s.Verify
		change := func(edit func(*signer.Verification)) signer.VerifyFunc {
			return func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
				v, err := valid(ctx, rb)
				if v != nil {
					edit(v)
				}
				return v, err
			}
		}
		for name, verify := range map[string]signer.VerifyFunc{
			"expired": func(context.Context, *runbook.Runbook) (*signer.Verification, error) {
				return nil, errors.New("expired")
			},
			"the verifier gave no ans": func(context.Context, *runbook.Runbook) (*signer.Verification, error) { return nil, nil },
			"not by the key":           change(func(v *signer.Verification) { v.Signers = []string{"openpgp:00"} }),
			"by the key that signed":   change(func(v *signer.Verification) { v.Signers = nil }),
			"payload is not the":       change(func(v *signer.Verification) { v.Payload = append(v.Payload, '\n') }),
			"its payload is":           change(func(v *signer.Verification) { v.Payload = nil }),
		} {
			dir := newFiles(t)
			s.Verify = verify
			refused[*signer.SelfCheckError](t, dir, dir.write(s.in, s.text), s.Options, name)
		}
	})
}

// losing is a format that drops the end of the text, and signs the rest well.
type losing struct{ signer.Stripper }

func (l losing) Sign(ctx context.Context, rb *runbook.Runbook, key *signer.Key) ([]byte, error) {
	var cut []byte
	rb.View(func(data []byte) { cut = data[:len(data)-8] })
	return l.Stripper.Sign(ctx, must(runbook.Parse(rb.Name(), cut)), key)
}

func TestFormatThatLosesTextIsCaught(t *testing.T) {
	t.Parallel()
	s := authenticode(t)
	s.Format = losing{s.Format.(signer.Stripper)}
	dir := newFiles(t)
	refused[*signer.SelfCheckError](t, dir, dir.write(s.in, s.text), s.Options, "payload is not the runbook")
}

// blind is a format that signs in place and cannot tell what it covers.
type blind struct{ signer.Format }

func TestOptionsThatCannotBeSafeAreRefused(t *testing.T) {
	t.Parallel()
	s := authenticode(t)
	dir := newFiles(t)
	path := dir.write(s.in, s.text)
	for _, change := range []func(*signer.Options){
		func(o *signer.Options) { o.Verify = nil },
		func(o *signer.Options) { o.Key = nil },
		func(o *signer.Options) { o.Format = nil },
		func(o *signer.Options) { o.Format = blind{o.Format} },
	} {
		o := s.Options
		change(&o)
		refused[error](t, dir, path, o, "")
	}
	if _, err := signer.CheckFile(t.Context(), path, s.Format, nil); err == nil {
		t.Error("a check without a verifier")
	}
}

func TestHereStringWithMarkersLosesNothing(t *testing.T) {
	t.Parallel()
	s := authenticode(t)
	dir := newFiles(t)
	text := "$x = @'\r\n# SIG # Begin signature block\r\n# AAAA\r\n# SIG # End signature block\r\n'@\r\n$x\r\n"
	path := dir.write(s.in, []byte(text))
	if _, err := signer.SignFile(t.Context(), path, s.Options); err == nil {
		if !bytes.HasPrefix(dir.read(s.in), []byte(text)) {
			t.Error("text was lost")
		}
		return
	}
	refused[*signer.InputError](t, dir, path, s.Options, "line")
}

func TestTextThatGnuPGWouldChangeIsRefused(t *testing.T) {
	t.Parallel()
	s := clearsign(t)
	for _, text := range []string{"echo \n", "echo\r\n", "echo \x00\n", "echo " + strings.Repeat("x", 20_000) + "\n"} {
		dir := newFiles(t)
		refused[*signer.InputError](t, dir, dir.write(s.in, []byte("true\n"+text)), s.Options, "line 2")
	}
}

func TestScriptThatWouldOutgrowTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	s := authenticode(t)
	dir := newFiles(t)
	text := bytes.Repeat([]byte("Get-Date\r\n"), runbook.MaxSize/10)
	refused[*signer.InputError](t, dir, dir.write(s.in, text), s.Options, "its signed form would have")
}

func TestFilesInTheWayAreNotReplaced(t *testing.T) {
	t.Parallel()
	s := clearsign(t)
	detached := []byte("-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n")
	for name, data := range map[string][]byte{"a detached signature": detached, "notes": []byte("notes"), "an empty file": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newFiles(t)
			path := dir.write(s.in, s.text)
			dir.write(s.out, data)
			refused[*signer.ExistsError](t, dir, path, s.Options, "is not replaced: move it away")
			o := s.Options
			o.Force = true
			must(signer.SignFile(t.Context(), path, o))
		})
	}
}

func TestLinksAndOtherFilesAreRefused(t *testing.T) {
	t.Parallel()
	eachFormat(t, func(t *testing.T, s studio) {
		t.Run("a symbolic link as the runbook", func(t *testing.T) {
			dir := newFiles(t)
			dir.write("real", s.text)
			if err := os.Symlink("real", dir.path(s.in)); err != nil {
				t.Fatal(err)
			}
			_, err := signer.SignFile(t.Context(), dir.path(s.in), s.Options)
			if !errors.Is(err, runbook.ErrNotRegular) || !bytes.Equal(dir.read("real"), s.text) || len(dir.names()) != 2 {
				t.Error(err)
			}
		})
		t.Run("a second name of the file that would be replaced", func(t *testing.T) {
			dir := newFiles(t)
			path := dir.write(s.in, s.text)
			if s.in != s.out {
				must(signer.SignFile(t.Context(), path, s.Options))
				s.Force = true
			}
			if err := os.Link(dir.path(s.out), dir.path("second")); err != nil {
				t.Fatal(err)
			}
			refused[*signer.InputError](t, dir, path, s.Options, "2 names (hard links)")
		})
		t.Run("a folder", func(t *testing.T) {
			dir := newFiles(t)
			if _, err := signer.SignFile(t.Context(), dir.dir, s.Options); err == nil {
				t.Error("signed a folder")
			}
		})
	})
	t.Run("a symbolic link or a folder in place of NAME.asc", func(t *testing.T) {
		t.Parallel()
		s := clearsign(t)
		s.Force = true
		for _, put := range []func(path string) error{
			func(path string) error { return os.Symlink("elsewhere", path) },
			func(path string) error { return os.Mkdir(path, 0o700) },
		} {
			dir := newFiles(t)
			path := dir.write(s.in, s.text)
			if err := put(dir.path(s.out)); err != nil {
				t.Fatal(err)
			}
			_, err := signer.SignFile(t.Context(), path, s.Options)
			if !errors.Is(err, runbook.ErrNotRegular) || len(dir.names()) != 2 {
				t.Error(err, dir.names())
			}
		}
	})
	t.Run("the signed form itself", func(t *testing.T) {
		t.Parallel()
		s := clearsign(t)
		dir := newFiles(t)
		must(signer.SignFile(t.Context(), dir.write(s.in, s.text), s.Options))
		refused[*signer.InputError](t, dir, dir.path(s.out), s.Options, "this is the signed form already")
	})
}

func TestFileThatChangesMeanwhileIsLeftAlone(t *testing.T) {
	t.Parallel()
	other := []byte("other\n")
	for name, act := range map[string]func(t *testing.T, dir files, s studio){
		"written":  func(t *testing.T, dir files, s studio) { dir.write(s.in, other) },
		"replaced": func(t *testing.T, dir files, s studio) { rename(t, dir.write("new", s.text), dir.path(s.in)) },
		"removed":  func(t *testing.T, dir files, s studio) { remove(t, dir.path(s.in)) },
		"chmod":    func(t *testing.T, dir files, s studio) { chmod(t, dir.path(s.in), 0o640) },
		"linked": func(t *testing.T, dir files, s studio) {
			if err := os.Link(dir.path(s.in), dir.path("second")); err != nil {
				t.Error(err)
			}
		},
		"made a link": func(t *testing.T, dir files, s studio) {
			remove(t, dir.path(s.in))
			if err := os.Symlink("x", dir.path(s.in)); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachFormat(t, func(t *testing.T, s studio) {
				dir := newFiles(t)
				path := dir.write(s.in, s.text)
				var want []string
				verify := s.Verify
				s.Verify = func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
					v, err := verify(ctx, rb)
					if err == nil { // the new signature: now the runbook changes
						act(t, dir, s)
						want = dir.names()
					}
					return v, err
				}
				_, err := signer.SignFile(t.Context(), path, s.Options)
				var changed *signer.ChangedError
				if !errors.As(err, &changed) {
					t.Error(err)
				}
				if diff := cmp.Diff(want, dir.names()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
	t.Run("NAME.asc comes up", func(t *testing.T) {
		t.Parallel()
		s := clearsign(t)
		dir := newFiles(t)
		verify := s.Verify
		s.Verify = func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
			dir.write(s.out, other)
			return verify(ctx, rb)
		}
		_, err := signer.SignFile(t.Context(), dir.write(s.in, s.text), s.Options)
		var changed *signer.ChangedError
		if !errors.As(err, &changed) || !bytes.Equal(dir.read(s.out), other) || len(dir.names()) != 2 {
			t.Error(err, dir.names())
		}
	})
}

func TestEndedContextLeavesNothing(t *testing.T) {
	t.Parallel()
	eachFormat(t, func(t *testing.T, s studio) {
		dir := newFiles(t)
		path := dir.write(s.in, s.text)
		ctx, cancel := context.WithCancel(t.Context())
		verify := s.Verify
		s.Verify = func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
			v, err := verify(ctx, rb)
			if err == nil {
				cancel()
			}
			return v, err
		}
		for range 2 { // once after signing, once before
			if _, err := signer.SignFile(ctx, path, s.Options); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if !bytes.Equal(dir.read(s.in), s.text) || len(dir.names()) != 1 {
				t.Error(dir.names())
			}
		}
	})
}

// TestInterruptedVerifierIsNotABadSignature: an interrupt in the middle of the
// check of what was signed is the reason that the user is told.
func TestInterruptedVerifierIsNotABadSignature(t *testing.T) {
	t.Parallel()
	eachFormat(t, func(t *testing.T, s studio) {
		dir := newFiles(t)
		path := dir.write(s.in, s.text)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s.Force = true // or the first question to the verifier would be another one
		verify := s.Verify
		s.Verify = func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
			cancel()
			return verify(ctx, rb)
		}
		var self *signer.SelfCheckError
		if _, err := signer.SignFile(ctx, path, s.Options); !errors.Is(err, context.Canceled) || errors.As(err, &self) {
			t.Error(err)
		}
		if !bytes.Equal(dir.read(s.in), s.text) || len(dir.names()) != 1 {
			t.Error(dir.names())
		}
	})
}

func TestConcurrentSignersLeaveOneValidFile(t *testing.T) {
	t.Parallel()
	eachFormat(t, func(t *testing.T, s studio) {
		dir := newFiles(t)
		path := dir.write(s.in, s.text)
		var wg sync.WaitGroup
		var mu sync.Mutex
		signed := 0
		for range 8 {
			wg.Go(func() {
				outcome, err := signer.SignFile(t.Context(), path, s.Options)
				mu.Lock()
				defer mu.Unlock()
				var changed *signer.ChangedError
				switch {
				case err == nil && !outcome.Unchanged:
					signed++
				case err != nil && !errors.As(err, &changed):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if signed == 0 {
			t.Error("nobody signed")
		}
		if diff := cmp.Diff(slices.Compact([]string{s.in, s.out}), dir.names()); diff != "" {
			t.Error(diff)
		}
		if _, err := s.Verify(t.Context(), must(runbook.ReadFile(dir.path(s.out), false))); err != nil {
			t.Error(err)
		}
	})
}

func TestCheckTellsTheStateAndChangesNothing(t *testing.T) {
	t.Parallel()
	eachFormat(t, func(t *testing.T, s studio) {
		dir := newFiles(t)
		path := dir.write(s.in, s.text)
		check := func(want signer.State, detail string) {
			t.Helper()
			names, before := dir.names(), dir.read(dir.names()[len(dir.names())-1])
			got, err := signer.CheckFile(t.Context(), path, s.Format, s.Verify)
			if err != nil || got.State != want || got.Path != dir.path(s.out) || !strings.Contains(got.Detail, detail) {
				t.Errorf("want %s (%s), got %+v, %v", want, detail, got, err)
			}
			if diff := cmp.Diff(names, dir.names()); diff != "" || !bytes.Equal(before, dir.read(names[len(names)-1])) {
				t.Error("something changed: " + diff)
			}
		}
		check(signer.StateUnsigned, "")
		must(signer.SignFile(t.Context(), path, s.Options))
		check(signer.StateSigned, "")
		signed := dir.read(s.in)
		dir.write(s.in, append([]byte("#\n"), signed...))
		check(signer.StateStale, "")
		dir.write(s.in, signed)
		check(signer.StateSigned, "")
		dir.write(s.out, dir.read(s.out)[:len(dir.read(s.out))-30])
		check(signer.StateStale, "")
	})
	t.Run("a signed form of another text", func(t *testing.T) {
		t.Parallel()
		s := clearsign(t)
		dir := newFiles(t)
		path := dir.write(s.in, s.text)
		must(signer.SignFile(t.Context(), path, s.Options))
		dir.write(s.in, []byte("echo other\n"))
		got, err := signer.CheckFile(t.Context(), path, s.Format, s.Verify)
		if err != nil || got.State != signer.StateStale || got.Detail != "the signature is of another text" {
			t.Errorf("%+v, %v", got, err)
		}
		dir.write(s.out, []byte("notes\n"))
		if got, err = signer.CheckFile(t.Context(), path, s.Format, s.Verify); err != nil || got.State != signer.StateUnsigned {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("a file that is not there", func(t *testing.T) {
		t.Parallel()
		s := clearsign(t)
		if got, err := signer.CheckFile(t.Context(), filepath.Join(t.TempDir(), "x.sh"), s.Format, s.Verify); err == nil || got.State != "" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Error(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Error(err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Error(err)
	}
}
