package runbook_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/runwrit/writ/runbook"
)

func member(t *testing.T, path, text string, executable bool) runbook.Member {
	t.Helper()
	m, err := runbook.ReadMember(path, executable, strings.NewReader(text), 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestASetIsKnownByTheTextThatListsIt(t *testing.T) {
	t.Parallel()
	run, lib := member(t, "bin/run.sh", "run\n", true), member(t, "bin.txt", "lib\n", false)
	rb, err := runbook.NewSet("/srv/p/bin/run.sh", []byte("signed"), "bin/run.sh", []runbook.Member{run, lib})
	if err != nil {
		t.Fatal(err)
	}
	if rb.Name() != "run.sh" || rb.Kind() != runbook.Bash || rb.Path() != "/srv/p/bin/run.sh" || string(rb.Bytes()) != "run\n" || rb.Digest() != runbook.DigestOf([]byte("run\n")) {
		t.Errorf("the runbook is %q, %s, %q", rb.Name(), rb.Kind(), rb.Bytes())
	}
	text := runbook.ManifestHeader + "\n" +
		runbook.DigestOf([]byte("lib\n")).String() + " 0644 bin.txt\n" +
		runbook.DigestOf([]byte("run\n")).String() + " 0755 bin/run.sh\n"
	if got := rb.Set().Digest(); got != runbook.DigestOf([]byte(text)) {
		t.Errorf("the digest is %s", got)
	}
	other, err := runbook.NewSet("", nil, "bin/run.sh", []runbook.Member{lib, member(t, "bin/run.sh", "run\n", false)})
	if err != nil {
		t.Fatal(err)
	}
	if other.Set().Digest() == rb.Set().Digest() {
		t.Error("a set with another mode has the same digest")
	}
	alone, err := runbook.Parse("run.sh", []byte("run\n"))
	if err != nil {
		t.Fatal(err)
	}
	if alone.Set() != nil || !alone.Set().Digest().IsZero() {
		t.Error("a runbook by itself has a set")
	}
}

func TestASetThatLacksAFileHasNoDigest(t *testing.T) {
	t.Parallel()
	rb, err := runbook.NewSet("", nil, "a.sh", []runbook.Member{member(t, "a.sh", "a", false), runbook.AbsentMember("b.sh", "it is not there")})
	if err != nil {
		t.Fatal(err)
	}
	if d := rb.Set().Digest(); !d.IsZero() {
		t.Errorf("the digest is %s", d)
	}
}

func TestWhatIsNoSetIsRefused(t *testing.T) {
	t.Parallel()
	a := member(t, "a.sh", "a", false)
	for name, c := range map[string]struct {
		entry   string
		members []runbook.Member
	}{
		"no files":              {"a.sh", nil},
		"no such entry":         {"b.sh", []runbook.Member{a}},
		"an entry that is not":  {"b.sh", []runbook.Member{a, runbook.AbsentMember("b.sh", "it is not there")}},
		"one path twice":        {"a.sh", []runbook.Member{a, a}},
		"a path that leads out": {"a.sh", []runbook.Member{a, member(t, "../b.sh", "b", false)}},
		"an absolute path":      {"a.sh", []runbook.Member{a, member(t, "/b.sh", "b", false)}},
		"a path of Windows":     {"a.sh", []runbook.Member{a, member(t, `..\b.sh`, "b", false)}},
		"the folder itself":     {"a.sh", []runbook.Member{a, member(t, ".", "b", false)}},
		"too many":              {"a.sh", make([]runbook.Member, runbook.MaxMembers+1)},
	} {
		if rb, err := runbook.NewSet("", nil, c.entry, c.members); !errors.Is(err, runbook.ErrSet) || rb != nil {
			t.Errorf("%s: got %v, want ErrSet", name, err)
		}
	}
	if _, err := runbook.NewSet("", nil, "a\n.sh", []runbook.Member{member(t, "a\n.sh", "a", false)}); !errors.Is(err, runbook.ErrName) {
		t.Errorf("an odd name: got %v, want ErrName", err)
	}
	var tooLarge *runbook.SizeError
	if _, err := runbook.ReadMember("a", false, endlessReader{}, 0); !errors.As(err, &tooLarge) {
		t.Errorf("endless bytes: got %v, want *SizeError", err)
	}
}
