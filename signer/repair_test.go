package signer_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// intact judges without trust, as writ repair does.
func intact(t testing.TB) func(context.Context, *runbook.Runbook) error {
	t.Helper()
	v, err := verifier.NewInspector(verifier.Options{Formats: []verifier.Format{format.NewAuthenticode()}, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, rb *runbook.Runbook) error {
		r, err := v.Inspect(ctx, rb)
		if err == nil && !r.Intact() {
			err = &verifier.UnverifiedError{Report: r}
		}
		return err
	}
}

func repairOptions(t testing.TB) signer.RepairOptions {
	t.Helper()
	return signer.RepairOptions{Restorer: format.NewAuthenticode(), Intact: intact(t)}
}

// signedText is a signed script.
func signedText(t testing.TB) []byte {
	t.Helper()
	s := authenticode(t)
	dir := newFiles(t)
	path := dir.write(s.in, s.text)
	if _, err := signer.SignFile(t.Context(), path, s.Options); err != nil {
		t.Fatal(err)
	}
	return dir.read(s.in)
}

// toLF is what git makes of it.
func toLF(data []byte) []byte { return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")) }

// unrepaired wants a refusal that leaves everything as it is.
func unrepaired[E error](t *testing.T, dir files, path string, o signer.RepairOptions) {
	t.Helper()
	names, before := dir.names(), must(os.ReadFile(path))
	done, err := signer.RepairFile(t.Context(), path, o)
	var want E
	if !errors.As(err, &want) || done != (signer.Repaired{}) {
		t.Errorf("%+v, %T %v", done, err, err)
	}
	if !bytes.Equal(must(os.ReadFile(path)), before) || len(dir.names()) != len(names) {
		t.Error("something changed:", dir.names())
	}
}

func TestRepairedFileIsTheSignedOneAndKeepsItsMode(t *testing.T) {
	t.Parallel()
	dir, original := newFiles(t), signedText(t)
	path := dir.write("a.ps1", toLF(original))
	chmod(t, path, 0o751)
	o := repairOptions(t)
	o.Check = true
	if done, err := signer.RepairFile(t.Context(), path, o); err != nil || done.State != signer.StateDamaged || !bytes.Equal(dir.read("a.ps1"), toLF(original)) {
		t.Fatalf("check: %+v, %v", done, err)
	}
	o.Check = false
	if done, err := signer.RepairFile(t.Context(), path, o); err != nil || done.State != signer.StateRepaired || done.How == "" {
		t.Fatalf("%+v, %v", done, err)
	}
	if !bytes.Equal(dir.read("a.ps1"), original) || must(os.Stat(path)).Mode().Perm() != 0o751 || len(dir.names()) != 1 {
		t.Error("not the original, or not with its mode, or not alone")
	}
	if done, err := signer.RepairFile(t.Context(), path, o); err != nil || done.State != signer.StateIntact {
		t.Errorf("again: %+v, %v", done, err)
	}
}

// lossy restores something else than what was signed.
type lossy struct{ *format.Authenticode }

func (lossy) Restore(*runbook.Runbook) (signer.Restoration, bool) {
	return signer.Restoration{Data: []byte("Stop-Computer\r\n"), How: "trust me"}, true
}

func TestWhatIsRestoredAndDoesNotVerifyIsThrownAway(t *testing.T) {
	t.Parallel()
	dir, o := newFiles(t), repairOptions(t)
	o.Restorer = lossy{format.NewAuthenticode()}
	unrepaired[*signer.UnrepairableError](t, dir, dir.write("a.ps1", toLF(signedText(t))), o)
}

func TestFileWithoutAWayBackIsLeftAlone(t *testing.T) {
	t.Parallel()
	original := signedText(t)
	for name, data := range map[string][]byte{
		"unsigned":                 []byte("Get-Date\r\n"),
		"edited":                   bytes.Replace(original, []byte("hello"), []byte("hullo"), 1),
		"edited and converted":     toLF(bytes.Replace(original, []byte("hello"), []byte("hullo"), 1)),
		"code behind the block":    append(bytes.Clone(original), "evil\r\n"...),
		"converted and code added": append(toLF(original), "evil\n"...),
		"a block of zeros":         []byte("1\n\n# SIG # Begin signature block\n# AAAA\n# SIG # End signature block\n"),
		"another type":             nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, file := newFiles(t), "a.ps1"
			if data == nil {
				data, file = toLF(original), "a.sh"
			}
			unrepaired[*signer.UnrepairableError](t, dir, dir.write(file, data), repairOptions(t))
		})
	}
}

func TestRepairRefusesLinksAndFilesThatChange(t *testing.T) {
	t.Parallel()
	damaged := toLF(signedText(t))
	t.Run("a symbolic link", func(t *testing.T) {
		t.Parallel()
		dir := newFiles(t)
		dir.write("real", damaged)
		if err := os.Symlink("real", dir.path("a.ps1")); err != nil {
			t.Fatal(err)
		}
		_, err := signer.RepairFile(t.Context(), dir.path("a.ps1"), repairOptions(t))
		if !errors.Is(err, runbook.ErrNotRegular) || !bytes.Equal(dir.read("real"), damaged) || len(dir.names()) != 2 {
			t.Error(err, dir.names())
		}
	})
	t.Run("a second name", func(t *testing.T) {
		t.Parallel()
		dir := newFiles(t)
		path := dir.write("a.ps1", damaged)
		if err := os.Link(path, dir.path("second")); err != nil {
			t.Fatal(err)
		}
		unrepaired[*signer.InputError](t, dir, path, repairOptions(t))
	})
	t.Run("written meanwhile", func(t *testing.T) {
		t.Parallel()
		dir, o := newFiles(t), repairOptions(t)
		path := dir.write("a.ps1", damaged)
		judge := o.Intact
		o.Intact = func(ctx context.Context, rb *runbook.Runbook) error {
			dir.write("a.ps1", []byte("other\n"))
			return judge(ctx, rb)
		}
		_, err := signer.RepairFile(t.Context(), path, o)
		var changed *signer.ChangedError
		if !errors.As(err, &changed) || string(dir.read("a.ps1")) != "other\n" || len(dir.names()) != 1 {
			t.Error(err, dir.names())
		}
	})
	t.Run("an ended context", func(t *testing.T) {
		t.Parallel()
		dir := newFiles(t)
		path := dir.write("a.ps1", damaged)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := signer.RepairFile(ctx, path, repairOptions(t)); !errors.Is(err, context.Canceled) || !bytes.Equal(dir.read("a.ps1"), damaged) {
			t.Error(err)
		}
	})
	t.Run("nobody to judge", func(t *testing.T) {
		t.Parallel()
		dir := newFiles(t)
		path := dir.write("a.ps1", damaged)
		for _, o := range []signer.RepairOptions{{}, {Restorer: format.NewAuthenticode()}, {Intact: intact(t)}} {
			unrepaired[error](t, dir, path, o)
		}
	})
}
