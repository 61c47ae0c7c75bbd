package once_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/once"
	"github.com/runwrit/writ/internal/testenv"
)

const key = "00112233445566778899aabbccddeeff"

func stateFolder(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t testing.TB, dir string) *once.Store {
	t.Helper()
	s, err := once.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAThingIsUsedAsOftenAsItMayBe(t *testing.T) {
	t.Parallel()
	dir, now := stateFolder(t), testenv.VectorTime()
	expires := now.Add(time.Hour)
	for range 2 {
		if err := open(t, dir).Use("glass", key, 2, expires, now); err != nil { // opened anew: after a restart
			t.Fatal(err)
		}
	}
	s := open(t, dir)
	if err := s.Use("glass", key, 2, expires, now); !errors.Is(err, once.ErrUsed) {
		t.Errorf("a third use: %v", err)
	}
	if n, err := s.Count("glass", key); n != 2 || err != nil {
		t.Errorf("%d uses, %v", n, err)
	}
	if err := s.Use("ticket", key, 1, expires, now); err != nil {
		t.Errorf("of another kind: %v", err)
	}
	if err := s.Use("ticket", key[1:], 1, expires, now); err != nil {
		t.Errorf("of another key: %v", err)
	}
	if err := s.Use("ticket", "new", 0, expires, now); !errors.Is(err, once.ErrUsed) {
		t.Errorf("what may not be used: %v", err)
	}
}

func TestOfManyAtOnceOneHasTheUse(t *testing.T) {
	t.Parallel()
	dir, now := stateFolder(t), testenv.VectorTime()
	var got atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if open(t, dir).Use("ticket", key, 1, now, now) == nil {
				got.Add(1)
			}
		})
	}
	wg.Wait()
	if n := got.Load(); n != 1 {
		t.Errorf("%d have it", n)
	}
}

func TestAUseIsRememberedAWeekLongerThanTheThingLives(t *testing.T) {
	t.Parallel()
	dir, now := stateFolder(t), testenv.VectorTime()
	s := open(t, dir)
	if err := s.Use("ticket", key, 1, now.Add(time.Hour), now); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "once", "other"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	week := 7 * 24 * time.Hour
	if err := s.Use("ticket", key, 1, now, now.Add(week)); !errors.Is(err, once.ErrUsed) {
		t.Errorf("after a week: %v", err)
	}
	if err := s.Use("ticket", "new", 1, now, now.Add(week+2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Count("ticket", key); n != 0 || err != nil {
		t.Errorf("it is not forgotten: %d, %v", n, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "once", "other")); err != nil {
		t.Errorf("what belongs to others is removed: %v", err)
	}
}

func TestWithoutAFolderNothingIsUsed(t *testing.T) {
	t.Parallel()
	var none *once.Store
	if err := none.Use("ticket", key, 1, time.Time{}, time.Time{}); err == nil {
		t.Error("used")
	}
	if _, err := none.Count("ticket", key); err == nil {
		t.Error("counted")
	}
	s := open(t, stateFolder(t))
	for _, bad := range []string{"", "../x", "A", strings.Repeat("a", 65), "a/b", "a.b"} {
		if err := s.Use("ticket", bad, 1, time.Time{}, time.Time{}); err == nil || errors.Is(err, once.ErrUsed) {
			t.Errorf("%q: %v", bad, err)
		}
		if _, err := s.Count("ticket", bad); err == nil {
			t.Errorf("%q is counted", bad)
		}
	}
}

// A folder that is gone, or full, is no yes.
func TestWhatCannotBeWrittenIsNotUsed(t *testing.T) {
	t.Parallel()
	dir := stateFolder(t)
	s := open(t, dir)
	if err := os.RemoveAll(filepath.Join(dir, "once")); err != nil {
		t.Fatal(err)
	}
	if err := s.Use("ticket", key, 1, time.Time{}, time.Time{}); err == nil || errors.Is(err, once.ErrUsed) {
		t.Errorf("got %v", err)
	}
}

func TestAFolderThatOthersMayWriteKeepsNoState(t *testing.T) {
	t.Parallel()
	open777, file, inner := stateFolder(t), filepath.Join(t.TempDir(), "f"), stateFolder(t)
	linked, replaced := stateFolder(t), stateFolder(t)
	if err := errors.Join(os.Chmod(open777, 0o777), os.WriteFile(file, nil, 0o600), os.Mkdir(filepath.Join(inner, "once"), 0o700),
		os.Chmod(filepath.Join(inner, "once"), 0o777), os.Symlink(t.TempDir(), filepath.Join(linked, "once")),
		os.Chmod(filepath.Dir(replaced), 0o777)); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"others may write it": open777, "a file": file, "none": file + "x", "others may write what is in it": inner, "a link": linked, "others may put another in its place": replaced} {
		if _, err := once.Open(dir); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
