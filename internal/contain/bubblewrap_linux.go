package contain

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// wrappedStage is the stage's program in the form Bubblewrap, and the name under which
// it is executed there: bwrap gives a program no other one.
const wrappedStage = "/run/writ/stage/" + StageName

const (
	// wrapLimit is how long bwrap and the stage in it may take. It is short, because
	// there is another form to try.
	wrapLimit = 5 * time.Second
	// maxSaid is how much of what bwrap says is kept.
	maxSaid = 500
)

// stdio is how many descriptors a stage inside bwrap gets behind the extra ones: the
// standard ones of the process. Those that bwrap has itself are not the process's, so
// that what bwrap says does not end up in the output of the job.
const stdio = 3

// wrap turns the command of a stage into that of bwrap with the stage in it. opened are
// the files that it has opened for that.
func wrap(cmd *exec.Cmd, spec *Spec, o IO) (opened []*os.File, err error) {
	if spec.Wrap.Folder == "" && o.Script == nil {
		return nil, specError("there is no script")
	}
	exe := cmd.Path
	if exe == Self {
		if exe, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	for _, f := range []*os.File{o.Stdin, o.Stdout, o.Stderr} {
		if f == nil {
			f = null
		}
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	if o.Script != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, o.Script)
	}
	args, err := wrapArguments(spec.Wrap, exe, 2+len(cmd.ExtraFiles)) // the last of them
	if err != nil {
		_ = null.Close() // nothing was written
		return nil, err
	}
	cmd.Path, cmd.Args = spec.Wrap.Program, append([]string{"bwrap"}, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, nil, &said{}
	cmd.WaitDelay = time.Second
	return []*os.File{null}, nil
}

// wrapArguments is what bwrap is told: the files of the host as the user may use them,
// but for processes, temporary files and what the gate has put there.
func wrapArguments(w *Wrap, exe string, scriptFD int) ([]string, error) {
	args := []string{"--unshare-pid", "--unshare-ipc", "--die-with-parent", "--new-session", "--as-pid-1"}
	// The folder /run is made anew, for what the gate puts there; the rest of the host is
	// shown as a whole, since each part by itself costs bwrap a look at all mounts.
	args = append(args, "--dev-bind", "/", "/", "--tmpfs", "/run")
	host, err := hostEntries("/run")
	if err != nil {
		return nil, err
	}
	args = append(args, host...)
	args = append(args, "--proc", "/proc", "--bind", w.Home, HomeDir, "--bind", w.Temp, TempDir)
	if w.Folder != "" {
		args = append(args, "--ro-bind", w.Folder, RunbookDir)
	} else {
		args = append(args, "--perms", "0444", "--ro-bind-data", strconv.Itoa(scriptFD), filepath.Join(RunbookDir, w.Script))
	}
	return append(args, "--ro-bind", exe, wrappedStage, "--remount-ro", "/run", "--chdir", "/", "--", wrappedStage), nil
}

// hostEntries shows what is in a folder at the same place.
func hostEntries(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var args []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if slices.Contains(replaced, path) {
			continue
		}
		if e.Type()&fs.ModeSymlink == 0 {
			args = append(args, "--dev-bind-try", path, path)
			continue
		}
		if target, err := os.Readlink(path); err == nil {
			args = append(args, "--symlink", target, path)
		}
	}
	return args, nil
}

// said keeps the beginning of what bwrap says.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p[:min(len(p), maxSaid-s.text.Len())])
	return len(p), nil
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(s.text.String(), "?"))
}

// onLastingThread calls start from a thread that lives on until the channel is closed:
// what dies with its parent dies with the thread that started it.
func onLastingThread(start func() error, until <-chan struct{}) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := start()
		result <- err
		if err == nil {
			<-until
		}
	}()
	return <-result
}

// outside returns the namespaces of this process that bwrap has to replace.
func outside() ([]string, error) {
	var list []string
	for _, name := range []string{"pid", "mnt", "ipc"} {
		link, err := os.Readlink("/proc/self/ns/" + name)
		if err != nil {
			return nil, err
		}
		list = append(list, link)
	}
	return list, nil
}

// takeStdio gives a stage inside bwrap the standard descriptors of the process.
func (s *stage) takeStdio() error {
	for fd := range stdio {
		from := fdExtra + s.spec.Extra + fd
		if err := unix.Dup3(from, fd, 0); err != nil {
			return fmt.Errorf("take over descriptor %d: %w", fd, err)
		}
		_ = unix.Close(from) // it is open under its other number
	}
	return nil
}

// unwrapped finds out whether bwrap has done what it was told; it does not have to be
// believed.
func (s *stage) unwrapped() error {
	const step = "look at what bwrap has made"
	if pid := os.Getpid(); pid != 1 {
		return &UnavailableError{step, fmt.Sprintf("the stage is process %d, not the first one of a PID namespace", pid)}
	}
	now, err := outside()
	if err != nil {
		return &UnavailableError{step, err.Error()}
	}
	for i, name := range now {
		if i >= len(s.spec.Wrap.Outside) || name == s.spec.Wrap.Outside[i] {
			return &UnavailableError{step, "the namespace " + name + " is that of the gate"}
		}
	}
	path := RunbookDir
	if s.spec.Wrap.Folder == "" {
		path = filepath.Join(RunbookDir, s.spec.Wrap.Script)
		if err := isScript(path, s.spec.Wrap.SHA256); err != nil {
			return &UnavailableError{step, err.Error()}
		}
	}
	for _, p := range []string{path, RunbookDir} {
		var stat unix.Statfs_t
		if err := unix.Statfs(p, &stat); err != nil {
			return &UnavailableError{step, fmt.Sprintf("%s: %s", p, err)}
		}
		if stat.Flags&unix.ST_RDONLY == 0 {
			return &UnavailableError{step, p + " could be changed"}
		}
	}
	return nil
}

func isScript(path, want string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	sum := sha256.New()
	if n, err := io.Copy(sum, io.LimitReader(f, MaxContent+1)); err != nil || n > MaxContent {
		return fmt.Errorf("%s: %d bytes read: %w", path, n, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("%s holds another script than the one that was verified", path)
	}
	return nil
}

// wrapped makes a specification ready for a stage inside bwrap. It returns the user as
// whom bwrap itself is run, since a stage inside it cannot become another one. For root
// there is no bwrap: it would keep its rights, and be no wall.
func wrapped(spec *Spec) (user *User, err error) {
	user, spec.User = spec.User, nil
	if user != nil && user.UID == 0 || user == nil && os.Geteuid() == 0 {
		return nil, &UnavailableError{"start bwrap", "it is no wall for root"}
	}
	w := *spec.Wrap
	spec.Wrap = &w
	w.Outside, err = outside()
	return user, err
}

// unwrap ends what bwrap has become, without waiting for it to answer, and adds what it
// has said to the reason of the failure.
func (p *Process) unwrap(failed error) error {
	_ = sweep(p.cmd.Process.Pid, 0)
	_ = p.cmd.Process.Kill()
	p.Close()
	var unavailable *UnavailableError
	text, ok := p.cmd.Stderr.(*said)
	if !ok || !errors.As(failed, &unavailable) || text.String() == "" {
		return failed
	}
	return &UnavailableError{unavailable.Step, unavailable.Reason + ": " + text.String()}
}
