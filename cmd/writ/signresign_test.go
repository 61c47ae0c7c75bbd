package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/manifest"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// rotation is a project of an old key, with three documents and a script, and a new
// key.
type rotation struct {
	t                   *testing.T
	dir, project        string
	old, oldKey, newKey string
}

func newRotation(t *testing.T, text string) *rotation {
	t.Helper()
	dir := t.TempDir()
	r := &rotation{
		t: t, dir: dir, project: filepath.Join(dir, "project"), old: filepath.Join(dir, "old", "trust", "demo", "openpgp", "signer.asc"),
		oldKey: filepath.Join(dir, "old", "keys", "openpgp.key.asc"), newKey: filepath.Join(dir, "new", "keys", "openpgp.key.asc"),
	}
	for n, name := range []string{"old", "new"} {
		files, err := demos.nth(n)
		if err == nil {
			_, err = makeEmpty(filepath.Join(dir, name))
		}
		if err == nil {
			err = writeFiles(filepath.Join(dir, name), files)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(r.project, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.sh", "b.sh", "sub/c.sh"} {
		writeFile(t, r.in(name), []byte("echo "+text+" "+name+"\n"))
		r.run(exitYes, "sign", "--key", r.oldKey, r.in(name))
	}
	r.run(exitYes, "manifest", "sign", "--key", r.oldKey, r.project)
	return r
}

func (r *rotation) in(name string) string { return filepath.Join(r.project, filepath.FromSlash(name)) }

func (r *rotation) run(want int, args ...string) string {
	r.t.Helper()
	code, out, errs := call(r.t, args...)
	if code != want {
		r.t.Fatalf("writ %s: exit code %d, want %d: %s%s", strings.Join(args, " "), code, want, out, errs)
	}
	return out
}

// resign is the command under test.
func (r *rotation) resign(want int) string {
	r.t.Helper()
	return r.run(want, "sign", "--resign", "--if-signer", r.old, "--key", r.newKey, r.project)
}

func (r *rotation) wantWhole() {
	r.t.Helper()
	r.run(exitYes, "manifest", "verify", "--trust", filepath.Join(r.dir, "new", "trust"), r.project)
	for _, name := range []string{"a.sh", "b.sh", "sub/c.sh"} {
		r.run(exitYes, "verify", "--trust", filepath.Join(r.dir, "new", "trust"), r.in(name+".asc"))
	}
}

// interrupt does what the command does up to a step, and leaves what is there then:
// 0 when it is written down what will be, up to 3 with as many documents replaced, 4
// with the manifest replaced.
func (r *rotation) interrupt(step int) {
	t := r.t
	t.Helper()
	o := &signOptions{key: r.newKey, format: "auto", paths: []string{r.project}, resign: resignOptions{on: true, old: r.old}}
	a := newApp()
	s, err := a.newResigner(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	files, err := a.filesToResign(o.paths)
	if err != nil {
		t.Fatal(err)
	}
	units := unitsOf(files)
	if len(units) != 1 || units[0].project == nil {
		t.Fatalf("%+v", units)
	}
	p := units[0].project
	l, result := s.manifests.judge(t.Context(), p)
	if l == nil {
		t.Fatalf("%+v", result)
	}
	changes := map[string]runbook.Digest{}
	var jobs []*job
	for _, path := range p.files {
		_, j := s.decide(t.Context(), path)
		if j == nil {
			continue
		}
		name, digest, err := s.make(t.Context(), l, j)
		if err != nil {
			t.Fatal(err)
		}
		changes[name] = digest
		jobs = append(jobs, j)
	}
	list, err := relisted(l.list, changes)
	if err == nil {
		err = s.manifests.writePlan(t.Context(), l, list)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs[:min(step, len(jobs))] {
		if result := s.act(t.Context(), j); result.State != render.SignSigned || result.Err != nil {
			t.Fatalf("%+v", result)
		}
	}
	if step > len(jobs) {
		made, err := s.manifests.make(t.Context(), l, list)
		if err != nil {
			t.Fatal(err)
		}
		if result := made.put(t.Context()); result.Err != nil {
			t.Fatal(result.Err)
		}
	}
	writeFile(t, r.in("sub/.writ-1234567.tmp"), []byte("half a document"))
}

func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAProjectIsFinishedFromEachStepOfAnInterruption(t *testing.T) {
	t.Parallel()
	r := newRotation(t, "one")
	before := filepath.Join(r.dir, "before")
	if err := os.CopyFS(before, os.DirFS(r.project)); err != nil {
		t.Fatal(err)
	}
	for step := range 5 {
		if err := errors.Join(os.RemoveAll(r.project), os.CopyFS(r.project, os.DirFS(before))); err != nil {
			t.Fatal(err)
		}
		r.interrupt(step)
		check := r.run(map[bool]int{true: exitYes, false: exitNo}[step == 4], "sign", "--resign", "--check", "--if-signer", r.old, "--key", r.newKey, r.project)
		if got := strings.Count(check, "to-sign  "); got != []int{4, 3, 2, 1, 0}[step] {
			t.Errorf("step %d: %d files are to be signed:\n%s", step, got, check)
		}
		out := r.resign(exitYes)
		if got := strings.Count(out, "signed    "); got != strings.Count(check, "to-sign  ") {
			t.Errorf("step %d: --check said otherwise than what is done:\n%s%s", step, check, out)
		}
		r.wantWhole()
	}
	if err := errors.Join(os.RemoveAll(r.project), os.CopyFS(r.project, os.DirFS(before))); err != nil {
		t.Fatal(err)
	}
	r.interrupt(1)
	r.interrupt(1) // what goes on is interrupted, too
	if out := r.resign(exitYes); strings.Count(out, "signed    ") != 2 {
		t.Error(out)
	}
	r.wantWhole()
}

// What keeps one file from being replaced is found before any is.
func TestNothingInAProjectIsReplacedUnlessAllCanBe(t *testing.T) {
	t.Parallel()
	r := newRotation(t, "one")
	first, list := contentOf(t, r.in("a.sh.asc")), contentOf(t, r.in(manifest.Name))
	if err := os.Link(r.in("b.sh.asc"), filepath.Join(r.dir, "second-name")); err != nil {
		t.Fatal(err)
	}
	if out := r.resign(exitNo); !strings.Contains(out, "4 files: 2 failed, 2 left\n") || !strings.Contains(out, "or another file that it lists could not be signed anew") {
		t.Error(out)
	}
	whole := func() {
		t.Helper()
		if !slices.Equal(contentOf(t, r.in("a.sh.asc")), first) || !slices.Equal(contentOf(t, r.in(manifest.Name)), list) {
			t.Error("a file was replaced")
		}
		r.run(exitYes, "manifest", "verify", "--trust", filepath.Join(r.dir, "old", "trust"), r.project)
	}
	whole()
	if err := errors.Join(os.Remove(filepath.Join(r.dir, "second-name")), os.Link(r.in(manifest.Name), filepath.Join(r.dir, "second-name"))); err != nil {
		t.Fatal(err)
	}
	if out := r.resign(exitNo); !strings.Contains(out, "4 files: 1 failed, 3 left\n") {
		t.Error(out)
	}
	whole()
}

// What the new key has signed for another place is not what was planned for this one.
func TestAttackAFileIsExchangedInAnInterruptedProject(t *testing.T) {
	t.Parallel()
	r := newRotation(t, "one")
	evil := filepath.Join(r.dir, "evil", "a.sh")
	if err := os.Mkdir(filepath.Dir(evil), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, evil, []byte("echo evil\n"))
	r.run(exitYes, "sign", "--key", r.newKey, evil)
	r.interrupt(2)
	manifestBefore := contentOf(t, r.in(manifest.Name))
	exchanged := contentOf(t, evil+".asc")
	writeFile(t, r.in("a.sh"), []byte("echo evil\n"))
	writeFile(t, r.in("a.sh.asc"), exchanged)
	if out := r.resign(exitNo); !strings.Contains(out, "the folder is not as it says") {
		t.Error(out)
	}
	if string(contentOf(t, r.in(manifest.Name))) != string(manifestBefore) {
		t.Error("the manifest was made anew")
	}
}

// A plan is signed by the new key, and is for one manifest: not for that of another
// project, nor for an older one of this.
func TestAttackAPlanForAnotherManifest(t *testing.T) {
	t.Parallel()
	r, other := newRotation(t, "one"), newRotation(t, "two")
	other.interrupt(1)
	r.interrupt(0)
	writeFile(t, r.in(planName), contentOf(t, other.in(planName)))
	writeFile(t, r.in("a.sh"), contentOf(t, other.in("a.sh")))
	writeFile(t, r.in("a.sh.asc"), contentOf(t, other.in("a.sh.asc"))) // the same name, by the same new key
	if out := r.resign(exitNo); !strings.Contains(out, "the folder is not as it says") {
		t.Error(out)
	}
	plan := contentOf(t, other.in(planName))
	writeFile(t, other.in(manifest.Name), plan) // a plan is the manifest of no folder
	r.run(exitNo, "manifest", "verify", "--trust", filepath.Join(r.dir, "new", "trust"), other.project)
}

func TestAttackAFileIsExchangedBetweenDecisionAndSignature(t *testing.T) {
	t.Parallel()
	r := newRotation(t, "one")
	path := filepath.Join(r.dir, "x.sh")
	writeFile(t, path, []byte("echo x\n"))
	r.run(exitYes, "sign", "--key", r.oldKey, path)
	a := newApp()
	s, err := a.newResigner(t.Context(), &signOptions{key: r.newKey, format: "auto", resign: resignOptions{on: true, old: r.old}})
	if err != nil {
		t.Fatal(err)
	}
	_, j := s.decide(t.Context(), path+".asc")
	if j == nil {
		t.Fatal("there is nothing to do")
	}
	other := contentOf(t, r.in("a.sh.asc"))
	writeFile(t, path+".asc", other)
	var changed *signer.ChangedError
	if result := s.act(t.Context(), j); !errors.As(result.Err, &changed) || !slices.Equal(contentOf(t, path+".asc"), other) {
		t.Errorf("%+v", result)
	}
}

// What the old key has signed once, and the manifest does not list, does not get into
// the new one, whatever lies in the folder while that is compared.
func TestAttackAnotherFileIsShownWhileItsManifestIsJudged(t *testing.T) {
	t.Parallel()
	r, past := newRotation(t, "one"), newRotation(t, "older")
	a := newApp()
	s, err := a.newResigner(t.Context(), &signOptions{key: r.newKey, format: "auto", resign: resignOptions{on: true, old: r.old}})
	if err != nil {
		t.Fatal(err)
	}
	listed, older := contentOf(t, r.in("a.sh.asc")), contentOf(t, past.in("a.sh.asc"))
	if err := os.Remove(r.in("a.sh")); err != nil {
		t.Fatal(err)
	}
	r.run(exitYes, "manifest", "sign", "--key", r.oldKey, r.project)
	p := unitsOf([]string{r.in("a.sh.asc")})[0].project
	writeFile(t, r.in("a.sh.asc"), older)
	_, j := s.decide(t.Context(), r.in("a.sh.asc"))
	writeFile(t, r.in("a.sh.asc"), listed)
	l, result := s.manifests.judge(t.Context(), p)
	if j == nil || l == nil {
		t.Fatalf("%+v", result)
	}
	writeFile(t, r.in("a.sh.asc"), older)
	results := make([]render.SignResult, 1)
	var changed *signer.ChangedError
	if result := s.relist(t.Context(), l, map[int]*job{0: j}, results); !errors.As(results[0].Err, &changed) || result.Err == nil {
		t.Errorf("%+v, %+v", result, results)
	}
	if !slices.Equal(contentOf(t, r.in("a.sh.asc")), older) {
		t.Error("the file was replaced")
	}
}

// A manifest that may not be read may list any file: none is signed anew alone.
func TestAttackAManifestThatMayNotBeRead(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("skipped: root reads every file, and on Windows the mode does not keep anybody from it")
	}
	r := newRotation(t, "one")
	before := contentOf(t, r.in("a.sh.asc"))
	if err := os.Chmod(r.in(manifest.Name), 0); err != nil {
		t.Fatal(err)
	}
	if out := r.run(exitNoAnswer, "sign", "--resign", "--if-signer", r.old, "--key", r.newKey, r.in("a.sh.asc")); !strings.Contains(out, "lists it, and would not hold any more") {
		t.Error(out)
	}
	if !slices.Equal(contentOf(t, r.in("a.sh.asc")), before) {
		t.Error("the file was replaced")
	}
}
