package confine_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/confine"
	"github.com/runwrit/writ/internal/testenv"
)

// The tests confine a thread of a child process: themselves once more, with the name
// of one of the functions below.
const childVariable = "WRIT_CONFINE_CHILD"

func TestMain(m *testing.M) {
	name := os.Getenv(childVariable)
	if name == "" {
		m.Run()
		return
	}
	failed := make(chan error)
	confine.Go(func() { failed <- children[name](os.Args[1:]) })
	if err := <-failed; err != nil {
		say("error:", err)
	}
}

// say is what a child tells the test.
func say(words ...any) { _, _ = fmt.Fprintln(os.Stdout, words...) }

const nobody = 65534

// child runs one of the functions, as a user without rights or as the current one,
// and returns what it printed.
func child(t *testing.T, unprivileged bool, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = []string{childVariable + "=" + name, "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Dir = "/"
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if unprivileged && os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if err != nil {
		fmt.Fprintf(&out, "child: %s\n", err)
	}
	return out.String()
}

// start runs a program from the calling thread and prints what it says.
func start(path string, args ...string) error {
	cmd := exec.Command(path, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		say("ended:", err)
		return nil
	}
	return err
}

// line returns the first line of a status file that begins with the key.
func line(path, key string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	for l := range strings.Lines(string(data)) {
		if strings.HasPrefix(l, key+":") {
			return strings.Join(strings.Fields(l), " ")
		}
	}
	return key + ": not there"
}

func wantLines(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains("\n"+got, "\n"+w+"\n") {
			t.Errorf("no line %q in:\n%s", w, got)
		}
	}
}

// confineAll takes everything away that a job of an ordinary user loses.
func confineAll() error {
	if err := noNewPrivsAndCapabilities(nil); err != nil {
		return err
	}
	return seccompOnly(nil)
}

func status(thread int, key string) string {
	return line(fmt.Sprintf("/proc/self/task/%d/status", thread), key)
}

func mainThread() int { return unix.Getpid() }

// python is one that every user can execute, where there is one.
func python(t *testing.T) string {
	t.Helper()
	const path = "/usr/bin/python3"
	if _, err := os.Stat(path); err == nil {
		return path
	}
	return testenv.Tool(t, "python3")
}
