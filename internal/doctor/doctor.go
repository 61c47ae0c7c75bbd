// Package doctor audits a host on which runbooks run: what an old Hybrid Runbook
// Worker of Azure Automation left open there, and whether what writ relies on
// belongs to those whom it must belong to. Each finding says why it matters,
// where it is, and the command that mends it.
//
// It reads and never writes, starts no process of its own and asks no network. It looks
// below one root folder, so that the mounted image of a machine can be examined
// like the machine itself; symbolic links are followed inside that folder only,
// and accounts are those of the files /etc/passwd and /etc/group in it. What it
// could not look at is said, and is no good sign.
//
// It does not promise that a host without findings is safe: it looks for what
// its codes name. Permissions are those of owners and permission bits. A host
// that somebody with root's rights prepared can deceive it.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/runwrit/writ/internal/config"
)

// DefaultConfig is where a worker's configuration is looked for.
const DefaultConfig = "/etc/writ/worker.yaml"

// Options say what to look at.
type Options struct {
	// Root is the folder below which the host lies; "/" if "".
	Root string
	// Config is the worker.yaml below Root. If it is "", DefaultConfig is looked at
	// where it is there.
	Config string
	// User is the account that writ runs as, and that may own what it relies on,
	// beside root: by default the account "writ" if the host has it.
	User string
	// Now is the clock; nil for time.Now.
	Now func() time.Time
	// Live are the questions that only a running host answers; nil leaves them out.
	Live *Live
	// Owner says to whom a file belongs; nil asks the system.
	Owner func(fs.FileInfo) (uid, gid uint32, ok bool)
}

// RootError says that the folder of the host cannot be looked into.
type RootError struct {
	Path string
	Err  error
}

func (e *RootError) Error() string { return fmt.Sprintf("host at %q: %v", e.Path, e.Err) }

// Unwrap returns the cause.
func (e *RootError) Unwrap() error { return e.Err }

// Examine audits a host. It fails with *RootError, or with the error of ctx; what
// could not be looked at by itself is in Report.Unread.
func Examine(ctx context.Context, o Options) (*Report, error) {
	now := o.Now
	if now == nil {
		now = time.Now
	}
	h, err := openHost(cmp.Or(o.Root, "/"), o.Owner)
	if err != nil {
		return nil, err
	}
	defer h.close()
	h.ctx = ctx
	x := &examination{host: h, options: o, now: now()}
	x.report = &Report{Root: h.dir, At: x.now.UTC()}
	h.unread = func(where string, err error) { x.unread(where, err.Error()) }
	for _, look := range []func(){
		x.accounts, x.config, x.oldConfs, x.sudo, x.oldGPG, x.gpgHomes, x.oldPlaces, x.own, x.machine,
	} {
		look()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	x.report.finish()
	return x.report, nil
}

// examination is one audit under way.
type examination struct {
	*host
	options Options
	now     time.Time
	report  *Report

	confs  []*oldConf
	rules  *sudoers
	worker *config.Worker // nil if there is none that can be read
	gate   uint32         // the number of the account that writ runs as; 0 for root only
}

// add notes a finding. The command that mends it is not given for a path that
// cannot be shown as it is.
func (x *examination) add(f Finding) {
	f.Severity, f.Why = catalog[f.Code].severity, catalog[f.Code].why
	x.report.Findings = append(x.report.Findings, f)
}

func (x *examination) unread(where, detail string) {
	u := Unread{where, detail}
	if !slices.Contains(x.report.Unread, u) {
		x.report.Unread = append(x.report.Unread, u)
	}
}

// openHost opens the folder of a host.
func openHost(dir string, owner func(fs.FileInfo) (uint32, uint32, bool)) (*host, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, &RootError{dir, err}
	}
	info, err := os.Stat(abs)
	switch {
	case err != nil:
		return nil, &RootError{dir, err}
	case !info.IsDir():
		return nil, &RootError{dir, errors.New("not a folder")}
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, &RootError{dir, err}
	}
	if owner == nil {
		owner = systemOwner
	}
	if _, _, ok := owner(info); !ok {
		_ = root.Close() // opened for reading only
		return nil, &RootError{dir, errors.New("owners cannot be read here: a Linux host is examined on Linux")}
	}
	return &host{dir: abs, root: root, owner: owner, users: map[uint32]string{}, groups: map[uint32]string{}}, nil
}
