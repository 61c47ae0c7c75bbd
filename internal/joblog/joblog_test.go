package joblog_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/joblog"
)

func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// folder is one that only the user of the tests may write, open.
func folder(t *testing.T) (*joblog.Folder, string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := joblog.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f, dir
}

func create(t *testing.T, f *joblog.Folder, run string, limit int64) *joblog.Log {
	t.Helper()
	l, err := f.Create(run, "stdout", limit)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestALogHoldsTheStream(t *testing.T) {
	t.Parallel()
	f, dir := folder(t)
	s := joblog.NewStream(create(t, f, joblog.Name(noon(), 7), 100))
	s.Write([]byte("one\n\xff"))
	if diff := cmp.Diff([]string{"20261122T120000.000Z-7.stdout.log.part"}, names(t, dir)); diff != "" {
		t.Error(diff)
	}
	s.Write([]byte("two\r\n"))
	a, err := s.Close()
	if err != nil {
		t.Fatal(err)
	}
	const text = "one\n\xfftwo\r\n"
	path := filepath.Join(dir, "20261122T120000.000Z-7.stdout.log")
	want := joblog.Account{
		Bytes: int64(len(text)), Digest: sha256.Sum256([]byte(text)),
		Log: &joblog.Facts{Path: path, Bytes: int64(len(text)), Digest: sha256.Sum256([]byte(text))},
	}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Error(diff)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != text {
		t.Errorf("%q, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if n := names(t, dir); len(n) != 1 {
		t.Errorf("left: %v", n)
	}
}

func TestALogThatIsCutOffSaysSo(t *testing.T) {
	t.Parallel()
	for n, text := range map[int]string{0: "", 10: "0123456789", 11: "0123456789x"} {
		for piece := 1; piece <= 11; piece++ {
			f, _ := folder(t)
			s := joblog.NewStream(create(t, f, "r", 10))
			for at := 0; at < len(text); at += piece {
				s.Write([]byte(text[at:min(len(text), at+piece)]))
			}
			a, err := s.Close()
			if err != nil {
				t.Fatal(err)
			}
			held, err := os.ReadFile(a.Log.Path)
			want := text
			if n > 10 {
				want = "0123456789\n[writ: the log is cut off here, after 10 of 11 bytes]\n"
			}
			if err != nil || string(held) != want {
				t.Errorf("%d in pieces of %d: %q, %v", n, piece, held, err)
			}
			if a.Log.Cut != (n > 10) || a.Bytes != int64(n) || a.Log.Bytes != int64(min(n, 10)) || a.Digest != sha256.Sum256([]byte(text)) || a.Log.Digest != sha256.Sum256(held) {
				t.Errorf("%d in pieces of %d: %+v %+v", n, piece, a, a.Log)
			}
		}
	}
}

func TestAStreamWithoutALogIsDigestedToo(t *testing.T) {
	t.Parallel()
	s := joblog.NewStream(nil)
	s.Write([]byte("x"))
	if a, err := s.Close(); err != nil || a.Log != nil || a.Bytes != 1 || a.Digest != sha256.Sum256([]byte("x")) {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestALogOfARunThatDidNotBeginIsRemoved(t *testing.T) {
	t.Parallel()
	f, dir := folder(t)
	joblog.NewStream(create(t, f, "r", 10)).Discard()
	joblog.NewStream(nil).Discard()
	if n := names(t, dir); len(n) > 0 {
		t.Errorf("left: %v", n)
	}
}

// What cannot be written is not given the name of a finished log.
func TestALogThatIsNotWholeKeepsTheNameThatSaysSo(t *testing.T) {
	t.Parallel()
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("skipped: this system has no file that is always full")
	}
	f, dir := folder(t)
	l := create(t, f, "r", 100)
	joblog.Fill(t, l, full)
	s := joblog.NewStream(l)
	s.Write([]byte("lost"))
	s.Write([]byte("lost, too"))
	a, err := s.Close()
	if err == nil || a.Bytes != 13 || a.Log.Bytes != 0 || a.Digest != sha256.Sum256([]byte("lostlost, too")) {
		t.Errorf("%+v, %v", a, err)
	}
	if diff := cmp.Diff([]string{"r.stdout.log.part"}, names(t, dir)); diff != "" || !strings.HasSuffix(a.Log.Path, ".part") {
		t.Error(diff, a.Log.Path)
	}
}

func TestAttackALinkOrAFileInThePlaceOfALog(t *testing.T) {
	t.Parallel()
	f, dir := folder(t)
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, plant := range map[string]func(path string) error{
		"link":        func(path string) error { return os.Symlink(outside, path+".part") },
		"finished":    func(path string) error { return os.Symlink(outside, path) },
		"file":        func(path string) error { return os.WriteFile(path+".part", []byte("x"), 0o600) },
		"folder":      func(path string) error { return os.Mkdir(path+".part", 0o700) },
		"broken-link": func(path string) error { return os.Symlink(filepath.Join(dir, "new"), path+".part") },
	} {
		if err := plant(filepath.Join(dir, name+".stdout.log")); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Create(name, "stdout", 10); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if text, err := os.ReadFile(outside); err != nil || string(text) != "kept" {
		t.Errorf("the file outside: %q, %v", text, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "new")); err == nil {
		t.Error("a file was made through a link")
	}
}

func TestAFolderThatOthersMayWriteIsRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("skipped: permission bits mean nothing here")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o777, 0o777 | os.ModeSticky, 0o733} {
		if err := os.Chmod(open, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := joblog.Open(open); err == nil {
			t.Errorf("mode %v is taken", mode)
		}
	}
	for name, path := range map[string]string{"a file": file, "missing": filepath.Join(dir, "no")} {
		if _, err := joblog.Open(path); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestOldLogsAreRemoved(t *testing.T) {
	t.Parallel()
	var all []string
	for i := range 4 { // 0, 2, 4, 6 days ago
		run := joblog.Name(noon().Add(-time.Duration(i)*48*time.Hour), uint64(100+i))
		all = append(all, run+".stdout.log", run+".stderr.log")
	}
	others := []string{
		joblog.Name(noon(), 5) + ".stdout.log.part", "notes.txt", "20200101T000000.000Z-1.stdout.log.bak", "20200101T000000.000Z-1.other.log",
		"20209901T000000.000Z-1.stdout.log",
	}
	lost := joblog.Name(noon().Add(-72*time.Hour), 4) + ".stdout.log.part"
	for name, c := range map[string]struct {
		keep joblog.Keep
		want []string
	}{
		"nothing said":      {joblog.Keep{}, append([]string{lost}, all...)},
		"two runs":          {joblog.Keep{Runs: 2}, all[:4]},
		"more than are":     {joblog.Keep{Runs: 9}, all},
		"three days":        {joblog.Keep{Days: 3}, append([]string{lost}, all[:4]...)},
		"one day":           {joblog.Keep{Days: 1}, all[:2]},
		"a run, three days": {joblog.Keep{Runs: 1, Days: 3}, append([]string{lost}, all[:2]...)},
	} {
		f, dir := folder(t)
		for _, n := range append(append([]string{lost}, all...), others...) {
			if err := os.WriteFile(filepath.Join(dir, n), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Prune(c.keep, noon()); err != nil {
			t.Error(err)
		}
		want := map[string]bool{}
		for _, n := range append(append([]string{}, c.want...), others...) {
			want[n] = true
		}
		got := map[string]bool{}
		for _, n := range names(t, dir) {
			got[n] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestWhatCannotBeRemovedIsSaid(t *testing.T) {
	t.Parallel()
	f, dir := folder(t)
	name := joblog.Name(noon().Add(-100*time.Hour), 1) + ".stdout.log"
	if err := os.MkdirAll(filepath.Join(dir, name, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Prune(joblog.Keep{Days: 1}, noon()); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkStream(b *testing.B) {
	piece := make([]byte, 64<<10)
	for _, logged := range []bool{false, true} {
		b.Run(fmt.Sprintf("logged=%t", logged), func(b *testing.B) {
			dir := b.TempDir()
			if err := os.Chmod(dir, 0o700); err != nil {
				b.Fatal(err)
			}
			f, err := joblog.Open(dir)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			s := joblog.NewStream(nil)
			if logged {
				l, err := f.Create("r", "stdout", 10<<20)
				if err != nil {
					b.Fatal(err)
				}
				s = joblog.NewStream(l)
			}
			b.SetBytes(int64(len(piece)))
			for b.Loop() {
				s.Write(piece)
			}
		})
	}
}
