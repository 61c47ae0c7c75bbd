package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"github.com/runwrit/writ/internal/abilities"
)

// Limits below which space is a finding, in bytes.
const (
	minLedgerSpace = 64 << 20
	minTempSpace   = 256 << 20
)

// maxRecord is the longest record of a ledger, in bytes.
const maxRecord = 1 << 20

// Live answers what only a running host does. A nil function is not asked.
type Live struct {
	// Built is when the running program was made; zero if that is not known.
	Built time.Time
	// Synchronized says whether something keeps the clock right.
	Synchronized func() (bool, error)
	// Free is how much more may be written on the file system of an open folder.
	Free func(folder *os.File) (bytes uint64, err error)
	// Abilities says what this host can contain runbooks with, below a control group
	// that is configured.
	Abilities func(ctx context.Context, group string) []abilities.Ability
}

// lacking are the codes of abilities that a host has not.
var lacking = map[string]Code{
	abilities.Namespaces: "no-namespaces", abilities.Seccomp: "no-seccomp", abilities.Landlock: "no-landlock",
	abilities.NoExecSeal: "no-noexec-seal", abilities.Bubblewrap: "no-bubblewrap", abilities.ControlGroups: "no-cgroup",
}

// machine looks at the clock, the space and the sandboxes.
func (x *examination) machine() {
	x.clockAndLedger()
	live := x.options.Live
	if live == nil {
		return
	}
	const setClock = "timedatectl set-ntp true"
	if !live.Built.IsZero() && x.now.Before(live.Built) {
		x.add(Finding{Code: "clock-before-build", Where: "/", Detail: fmt.Sprintf("it is %s, and writ was made at %s", x.now.UTC().Format(time.RFC3339), live.Built.UTC().Format(time.RFC3339)), Mend: []string{setClock}})
	}
	if live.Synchronized != nil {
		switch ok, err := live.Synchronized(); {
		case err != nil:
			x.unread("/", fmt.Sprintf("whether the clock is kept right: %v", err))
		case !ok:
			x.add(Finding{Code: "clock-not-synchronized", Where: "/", Mend: []string{setClock}, Note: "in a container the clock is that of the machine around it: look there"})
		}
	}
	x.space(live)
	if live.Abilities == nil {
		return
	}
	group := ""
	if x.worker != nil {
		group = x.worker.Run.Sandbox.Cgroup
	}
	for _, a := range live.Abilities(x.ctx, group) {
		if code := lacking[a.Name]; !a.Has && code != "" {
			x.add(Finding{Code: code, Where: "/", Detail: a.Detail, Note: "it is so for the account that asked: ask as the one that writ runs as, too"})
		}
	}
}

// clockAndLedger looks at whether the ledger is ahead of the clock. Of an image
// the clock is that of this machine.
func (x *examination) clockAndLedger() {
	if x.worker == nil {
		return
	}
	last, ok := x.lastRecord(x.worker.Ledger)
	if ok && x.now.Before(last) {
		f := Finding{Code: "clock-behind-ledger", Where: x.worker.Ledger, Detail: fmt.Sprintf("it is %s, and the last record is of %s", x.now.UTC().Format(time.RFC3339), last.UTC().Format(time.RFC3339))}
		if x.options.Live != nil {
			f.Mend = []string{"timedatectl set-ntp true"}
		} else {
			f.Note = "set the clock of the host, or of this machine"
		}
		x.add(f)
	}
}

// lastRecord is the time of the last whole record of a ledger.
func (x *examination) lastRecord(p string) (time.Time, bool) {
	f, at, err := x.open(p)
	if err != nil {
		if !errors.Is(err, errNotRegular) {
			x.note(p, err)
		}
		return time.Time{}, false
	}
	defer func() { _ = f.Close() }() // opened for reading only
	from := max(0, at.info.Size()-2*maxRecord)
	tail, err := io.ReadAll(io.NewSectionReader(f, from, 2*maxRecord))
	if err != nil {
		x.note(p, err)
		return time.Time{}, false
	}
	end := bytes.LastIndexByte(tail, '\n')
	if end < 0 {
		return time.Time{}, false
	}
	line := tail[bytes.LastIndexByte(tail[:end], '\n')+1 : end]
	var record struct {
		Time time.Time `json:"time"`
	}
	if err := json.Unmarshal(line, &record); err != nil {
		x.unread(p, "the last record cannot be read: see writ ledger verify")
		return time.Time{}, false
	}
	return record.Time, true
}

// space looks at how much may be written where that must not fail.
func (x *examination) space(live *Live) {
	if live.Free == nil {
		return
	}
	if x.worker != nil {
		x.free(live, "ledger-space", path.Dir(x.worker.Ledger), minLedgerSpace)
	}
	x.free(live, "temp-space", "/tmp", minTempSpace)
}

func (x *examination) free(live *Live, code Code, dir string, least uint64) {
	at, ok := x.find(dir)
	if !ok || !at.info.IsDir() {
		return
	}
	f, err := x.root.Open(local(at.path))
	if err != nil {
		x.note(dir, err)
		return
	}
	defer func() { _ = f.Close() }() // opened for reading only
	n, err := live.Free(f)
	if err != nil {
		x.note(dir, err)
		return
	}
	if n < least {
		x.add(Finding{Code: code, Where: dir, Detail: fmt.Sprintf("%d MiB are free", n>>20), Note: fmt.Sprintf("make room: at least %d MiB", least>>20)})
	}
}
