package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/guard"
	"github.com/runwrit/writ/internal/procstat"
)

// errHeld says that the file of a run is locked: the run is under way.
var errHeld = errors.New("held by another process")

// register enters the run of a decision into the register, and holds its file
// until the run has ended. Others that look at the register wait for the moment
// in which a file is there and not locked yet.
func (w *Worker) register(ctx context.Context, p *plan) (*openRun, error) {
	p.folder = w.newFolder()
	var err error
	if p.gate, err = thisGate(); err != nil {
		return nil, &StartError{"find out who this process is", err}
	}
	if w.runsDir == "" {
		return nil, nil //nolint:nilnil // a worker without a register
	}
	o, err := enter(ctx, w.runsDir, registered{Version: recordVersion, Decision: p.decision.seq, Gate: p.gate, Folder: p.folder})
	if err != nil {
		return nil, &StartError{"enter the run into the register", err}
	}
	return o, nil
}

func enter(ctx context.Context, dir string, is registered) (_ *openRun, err error) {
	o := &openRun{path: filepath.Join(dir, strconv.FormatUint(is.Decision, 10)), is: is}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	if err := guard.Folder(dir); err != nil {
		return nil, err
	}
	data, err := json.Marshal(o.is)
	if err != nil {
		return nil, err
	}
	unlock, err := lockRegister(ctx, dir, unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if o.file, err = os.OpenFile(o.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600); err != nil {
		return nil, err
	}
	if err = flock(o.file, unix.LOCK_EX|unix.LOCK_NB); err == nil {
		_, err = o.file.Write(data)
	}
	if err != nil {
		return nil, errors.Join(err, o.done(true))
	}
	return o, nil
}

// claim enters a run of a gate that is gone into the register, as one of this process.
func claim(ctx context.Context, dir string, decision uint64) (*openRun, error) {
	self, err := thisGate()
	if err != nil {
		return nil, err
	}
	return enter(ctx, dir, registered{Version: recordVersion, Decision: decision, Gate: self})
}

// registerTimeout is how long one waits for others that look at the register: as long
// as for those who write the ledger.
const registerTimeout = 10 * time.Second

// lockRegister locks the folder: many may enter their runs, or one look for
// those of others. It polls, because a process that is stopped, or the job of a gate
// that shares its user, could hold a lock for ever.
func lockRegister(ctx context.Context, dir string, how int) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, registerTimeout, fmt.Errorf("another process has held it for %v", registerTimeout))
	defer cancel()
	for {
		err := flock(d, how|unix.LOCK_NB)
		if err == nil {
			return func() { _ = d.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			_ = d.Close() // opened for reading only
			return nil, err
		}
		select {
		case <-ctx.Done():
			_ = d.Close() // opened for reading only
			return nil, fmt.Errorf("wait for the lock of %q: %w", dir, context.Cause(ctx))
		case <-time.After(time.Millisecond):
		}
	}
}

// listRegister names the runs in the register, and keeps others from entering
// new ones until unlock is called.
func listRegister(ctx context.Context, dir string) (names []string, unlock func(), err error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, nil, err
	}
	if !info.IsDir() {
		return nil, nil, fmt.Errorf("%q is not a folder", dir)
	}
	if err := guard.Folder(dir); err != nil {
		return nil, nil, err
	}
	if unlock, err = lockRegister(ctx, dir, unix.LOCK_EX); err != nil {
		return nil, nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		unlock()
		return nil, nil, err
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, unlock, nil
}

// openRegistered opens and locks the file of a run. It fails with errHeld if
// another process, or another run of this one, holds it.
func openRegistered(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%q is not a regular file", path)
	}
	if err == nil {
		err = guard.Entry(info)
	}
	if err == nil {
		err = flock(f, unix.LOCK_EX|unix.LOCK_NB)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errHeld
	}
	// Whoever held it may have removed it just now.
	if named, statErr := os.Lstat(path); err == nil && (statErr != nil || !os.SameFile(info, named)) {
		err = os.ErrNotExist
	}
	if err != nil {
		_ = f.Close() // opened for reading only
		return nil, err
	}
	return f, nil
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// thisGate is the identity of this process.
func thisGate() (gateID, error) { return processOf(os.Getpid()) }

// alive says that the process is there, or that nobody can tell.
func (g gateID) alive() bool {
	boot, err := bootID()
	if err != nil {
		return true
	}
	if boot != g.BootID {
		return false
	}
	now, err := processOf(g.PID)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return false
	}
	return err != nil || now == g
}

func processOf(pid int) (gateID, error) {
	boot, err := bootID()
	if err != nil {
		return gateID{}, err
	}
	p, err := procstat.Read(pid)
	if err != nil {
		return gateID{}, err
	}
	if p.Ended() {
		return gateID{}, os.ErrNotExist
	}
	return gateID{PID: pid, Started: p.Started, BootID: boot}, nil
}

func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(id)), nil
}
