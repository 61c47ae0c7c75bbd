// Package testenv finds what tests need from outside the repository: the shared
// vectors and corpus, and the programs of peers. What is missing skips the test
// with one visible line; in CI it fails, so that no check is lost unseen.
package testenv

import (
	"go/build"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// VectorTime is the time at which the shared vectors are to be judged.
func VectorTime() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// Shared returns the folder of that name in the "shared" folder beside the
// repository.
func Shared(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(filepath.Dir(Root(t)), "shared", filepath.FromSlash(name))
	if _, err := os.Stat(dir); err != nil {
		missing(t, "the folder shared/"+name+" is not beside the repository")
	}
	return dir
}

// Tool returns the path of a program, which may be where "go install" puts it.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	for _, dir := range filepath.SplitList(build.Default.GOPATH) {
		if err != nil {
			path, err = exec.LookPath(filepath.Join(dir, "bin", name))
		}
	}
	if err != nil {
		missing(t, "the program "+name+" is not installed")
	}
	return path
}

// WriteProgram writes a program that the test will run. A test beside it that
// starts a process meanwhile would pass the open file on to that process, and
// what is open for writing cannot be executed (ETXTBSY, golang.org/issue/22315):
// nobody starts one while the file is open.
func WriteProgram(t testing.TB, path string, data []byte) {
	t.Helper()
	syscall.ForkLock.RLock()
	err := os.WriteFile(path, data, 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
}

// Root returns the root folder of the repository.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s, and in CI it must be", what)
	}
	t.Skipf("skipped: %s", what)
}
