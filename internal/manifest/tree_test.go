package manifest_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/manifest"
	"github.com/runwrit/writ/runbook"
)

// project makes a folder of files by path; a path that ends in "*" is executable.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range files {
		write(t, dir, path, text)
	}
	return dir
}

func write(t *testing.T, dir, path, text string) {
	t.Helper()
	path, executable := strings.CutSuffix(path, "*")
	full := filepath.Join(dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if executable {
		if err := os.Chmod(full, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, dir string) *manifest.Tree {
	t.Helper()
	tree, err := manifest.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tree.Close() })
	return tree
}

func collect(t *testing.T, dir string) *manifest.List {
	t.Helper()
	l, err := manifest.Collect(t.Context(), open(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func drift(t *testing.T, l *manifest.List, dir string) []manifest.Drift {
	t.Helper()
	found, err := manifest.Compare(t.Context(), l, open(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i].Detail = ""
	}
	return found
}

func example(t *testing.T) string {
	return project(t, map[string]string{
		"run.sh*": "#!/bin/bash\n", "lib/a.sh": "a\n", "lib/deep/b.py": "b\n", ".hidden": "h\n", ".gitattributes": "* -text\n",
		".git/config": "c\n", "sub/.git": "gitdir: elsewhere\n", manifest.Name: "old\n", "sub/" + manifest.Name: "listed\n",
	})
}

func TestCollectListsEverythingButGitsFolderAndTheManifest(t *testing.T) {
	t.Parallel()
	var got []string
	for _, e := range collect(t, example(t)).Entries() {
		if e.Executable {
			e.Path += "*"
		}
		got = append(got, e.Path)
	}
	want := []string{".gitattributes", ".hidden", "lib/a.sh", "lib/deep/b.py", "run.sh*", "sub/" + manifest.Name}
	if diff := cmp.Diff(want, got); diff != "" && keepsModes {
		t.Error(diff)
	}
}

func TestCompareNamesEachSortOfDrift(t *testing.T) {
	t.Parallel()
	dir := example(t)
	l := collect(t, dir)
	if d := drift(t, l, dir); len(d) != 0 {
		t.Fatalf("nothing was changed, and there is %v", d)
	}
	write(t, dir, "lib/a.sh", "A\n")
	write(t, dir, "lib/new.py", "import os\n")
	write(t, dir, ".hidden*", "h\n")
	write(t, dir, ".git/hooks/pre-commit*", "never listed\n")
	if err := os.Remove(filepath.Join(dir, "run.sh")); err != nil {
		t.Fatal(err)
	}
	want := []manifest.Drift{
		{Path: ".hidden", State: manifest.Mode}, {Path: "lib/a.sh", State: manifest.Changed},
		{Path: "lib/new.py", State: manifest.Added}, {Path: "run.sh", State: manifest.Missing},
	}
	if !keepsModes {
		want = want[1:]
	}
	if diff := cmp.Diff(want, drift(t, l, dir)); diff != "" {
		t.Error(diff)
	}
	var states []string
	for _, d := range collect(t, dir).Since(l) {
		states = append(states, string(d.State)+" "+d.Path)
	}
	wantStates := []string{"mode .hidden", "changed lib/a.sh", "added lib/new.py", "missing run.sh"}
	if !keepsModes {
		wantStates = wantStates[1:]
	}
	if diff := cmp.Diff(wantStates, states); diff != "" {
		t.Error(diff)
	}
	if got := len(collect(t, dir).Since(nil)); got != 6 {
		t.Errorf("since nothing, %d files are new", got)
	}
}

func TestAFolderInThePlaceOfAFileAndTheOtherWayRoundIsDrift(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"a": "a", "b/c": "c"})
	l := collect(t, dir)
	if err := errors.Join(os.Remove(filepath.Join(dir, "a")), os.RemoveAll(filepath.Join(dir, "b"))); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "a/c", "a")
	write(t, dir, "b", "c")
	want := []manifest.Drift{
		{Path: "a", State: manifest.Changed}, {Path: "a/c", State: manifest.Added},
		{Path: "b", State: manifest.Added}, {Path: "b/c", State: manifest.Missing},
	}
	if diff := cmp.Diff(want, drift(t, l, dir)); diff != "" {
		t.Error(diff)
	}
}

// A link would have the list say what stands somewhere else.
func TestLinksAreNeverFollowed(t *testing.T) {
	t.Parallel()
	outside := project(t, map[string]string{"a.sh": "a\n", "lib/a.sh": "a\n"})
	for _, place := range []string{"lib/a.sh", "lib"} {
		for name, target := range map[string]string{"outside": filepath.Join(outside, place), "inside": "../copy/" + place} {
			if place == "lib" {
				target = strings.Replace(target, "../copy/", "copy/", 1)
			}
			t.Run(place+" "+name, func(t *testing.T) {
				t.Parallel()
				dir := project(t, map[string]string{"lib/a.sh": "a\n", "copy/lib/a.sh": "a\n", "z": "z"})
				l := collect(t, dir)
				full := filepath.Join(dir, place)
				if err := errors.Join(os.RemoveAll(full), os.Symlink(target, full)); err != nil {
					t.Fatal(err)
				}
				m, err := open(t, dir).Read("lib/a.sh")
				if err != nil || m.Problem() == "" || m.Size() > 0 {
					t.Errorf("read through a link: %d bytes, %q, %v", m.Size(), m.Problem(), err)
				}
				found := drift(t, l, dir)
				if !slices.Contains(found, manifest.Drift{Path: "lib/a.sh", State: manifest.Changed}) {
					t.Errorf("the same content behind a link is %v", found)
				}
				var syntax *manifest.SyntaxError
				if _, err := manifest.Collect(t.Context(), open(t, dir)); !errors.As(err, &syntax) || syntax.Path != place {
					t.Errorf("a project with a link gives %v", err)
				}
			})
		}
	}
}

// Each answer is about one folder: it is of the true one, or there is none.
func TestAFolderSwappedForALinkMeanwhileIsNotEntered(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"lib/a.sh": "true\n", "evil/a.sh": "evil\n"})
	tree := open(t, dir)
	lib, aside := filepath.Join(dir, "lib"), filepath.Join(dir, "aside")
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := errors.Join(os.Rename(lib, aside), os.Symlink("evil", lib), os.Remove(lib), os.Rename(aside, lib)); err != nil {
				done <- err
				return
			}
		}
	}()
	defer func() {
		close(stop)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	for range 5_000 {
		m, err := tree.Read("lib/a.sh")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue // the link was met in between: an error reads nothing
		}
		m.View(func(data []byte) {
			if len(data) > 0 && string(data) != "true\n" {
				t.Fatalf("read %q through the link", data)
			}
		})
	}
}

func TestAHardLinkIsReadAsTheFileThatItIs(t *testing.T) {
	t.Parallel()
	outside := project(t, map[string]string{"a.sh": "a\n"})
	dir := t.TempDir()
	if err := os.Link(filepath.Join(outside, "a.sh"), filepath.Join(dir, "a.sh")); err != nil {
		t.Fatal(err)
	}
	l := collect(t, dir)
	write(t, outside, "a.sh", "changed by its other name\n")
	if diff := cmp.Diff([]manifest.Drift{{Path: "a.sh", State: manifest.Changed}}, drift(t, l, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestNamesThatCannotBeListedAreRefusedAndReported(t *testing.T) {
	t.Parallel()
	if !keepsModes {
		t.Skip("skipped: Windows has no such names")
	}
	for _, name := range []string{"a\nb.sh", "a\x1b[31m.sh", "a\u202eb.sh", "a ", `a\b`, "NUL", "u\u0308", "\xff"} {
		dir := project(t, map[string]string{"a.sh": "a"})
		l := collect(t, dir)
		write(t, dir, name, "evil")
		if d := drift(t, l, dir); len(d) != 1 || d[0].State != manifest.Added || d[0].Path != name {
			t.Errorf("%q: drift %v", name, d)
		}
		var syntax *manifest.SyntaxError
		if _, err := manifest.Collect(t.Context(), open(t, dir)); !errors.As(err, &syntax) || syntax.Path != name {
			t.Errorf("%q: got %v, want *SyntaxError", name, err)
		}
	}
}

func TestReadStaysInsideTheProject(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"p/a.sh": "a", "secret": "s"})
	tree := open(t, filepath.Join(dir, "p"))
	for _, path := range []string{"../secret", "/etc/passwd", "", ".", "a.sh/", "./a.sh", "x/../../secret"} {
		if m, err := tree.Read(path); err == nil {
			t.Errorf("%q was read: %d bytes", path, m.Size())
		}
	}
	for _, path := range []string{"no.sh", "no/a.sh", "a.sh/b"} {
		if m, err := tree.Read(path); err != nil || m.Problem() == "" || m.Size() > 0 {
			t.Errorf("%q: %q, %v", path, m.Problem(), err)
		}
	}
}

func TestAProjectThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	sparse := func(dir, name string, size int64) {
		write(t, dir, name, "")
		if err := os.Truncate(filepath.Join(dir, name), size); err != nil {
			t.Fatal(err)
		}
	}
	one := t.TempDir()
	sparse(one, "large.bin", 1<<40)
	var syntax *manifest.SyntaxError
	if _, err := manifest.Collect(t.Context(), open(t, one)); !errors.As(err, &syntax) {
		t.Errorf("a file of 1 TiB: %v", err)
	}
	many := t.TempDir()
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		sparse(many, name, runbook.MaxSize)
	}
	var limit *manifest.LimitError
	if _, err := manifest.Collect(t.Context(), open(t, many)); !errors.As(err, &limit) {
		t.Errorf("five files of 16 MiB: %v", err)
	}
	deep := t.TempDir()
	write(t, deep, strings.Repeat("a/", manifest.MaxDepth+1)+"b", "")
	if _, err := manifest.Collect(t.Context(), open(t, deep)); !errors.As(err, &limit) {
		t.Errorf("deep folders: %v", err)
	}
}
