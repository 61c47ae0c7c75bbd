package manifest

import (
	"context"
	"fmt"

	"github.com/runwrit/writ/runbook"
)

// State is in which way a file differs from the list.
type State string

// The states of a file that is not as it is listed.
const (
	Changed State = "changed" // its content, or it is no regular file any more
	Added   State = "added"   // it is not listed
	Missing State = "missing" // it is listed and not there
	Mode    State = "mode"    // it may be executed, and is listed as one that may not, or the other way round
)

// Drift is one file that is not as it is listed.
type Drift struct {
	Path   string
	State  State
	Detail string
}

// Differs says in which way a file that was read differs from its line; ok is
// false if it does not, but for its mode.
func (e Entry) Differs(m runbook.Member) (d Drift, differs bool) {
	switch {
	case m.Problem() == ProblemMissing:
		return Drift{e.Path, Missing, m.Problem()}, true
	case m.Problem() != "":
		return Drift{e.Path, Changed, m.Problem()}, true
	case m.Digest() != e.Digest:
		return Drift{e.Path, Changed, fmt.Sprintf("its SHA-256 is %s, listed is %s", m.Digest(), e.Digest)}, true
	}
	return Drift{}, false
}

// Compare says how the folder differs from the list, in the order of paths. It
// fails with *LimitError, with the error of ctx, or of the file system.
func Compare(ctx context.Context, l *List, t *Tree) ([]Drift, error) {
	found, err := t.Walk(ctx)
	if err != nil {
		return nil, err
	}
	var drift []Drift
	listed := l.entries
	for len(found) > 0 || len(listed) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		switch {
		case len(listed) == 0 || len(found) > 0 && found[0].Path < listed[0].Path:
			drift = append(drift, Drift{found[0].Path, Added, found[0].Problem})
			found = found[1:]
			continue
		case len(found) > 0 && found[0].Path == listed[0].Path:
			found = found[1:]
		}
		m, err := t.Read(listed[0].Path)
		if err != nil {
			return nil, err
		}
		if d, differs := listed[0].Differs(m); differs {
			drift = append(drift, d)
		} else if keepsModes() && m.Executable() != listed[0].Executable {
			drift = append(drift, Drift{m.Path(), Mode, fmt.Sprintf("it is %s, listed is %s", modeOf(m.Executable()), modeOf(listed[0].Executable))})
		}
		listed = listed[1:]
	}
	return drift, nil
}

func modeOf(executable bool) string {
	if executable {
		return "executable"
	}
	return "not executable"
}

// Collect lists the folder as it is. It fails with *SyntaxError for what cannot be
// listed, with *LimitError, with the error of ctx, or of the file system.
func Collect(ctx context.Context, t *Tree) (*List, error) {
	found, err := t.Walk(ctx)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(found))
	for _, f := range found {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if f.Problem != "" {
			return nil, &SyntaxError{Path: f.Path, Detail: f.Problem}
		}
		if bad := CheckPath(f.Path); bad != "" {
			return nil, &SyntaxError{Path: f.Path, Detail: bad}
		}
		m, err := t.Read(f.Path)
		switch {
		case err != nil:
			return nil, err
		case m.Problem() != "":
			return nil, &SyntaxError{Path: f.Path, Detail: m.Problem()}
		}
		entries = append(entries, Entry{Path: f.Path, Executable: m.Executable(), Digest: m.Digest()})
	}
	return New(entries)
}

// Since says how a list differs from an older one, which may be nil for none: what
// was added, changed or, in the old one only, is missing.
func (l *List) Since(old *List) []Drift {
	if old == nil {
		old = &List{}
	}
	var drift []Drift
	for _, e := range l.entries {
		before, known := old.Lookup(e.Path)
		switch {
		case !known:
			drift = append(drift, Drift{Path: e.Path, State: Added})
		case before.Digest != e.Digest:
			drift = append(drift, Drift{Path: e.Path, State: Changed})
		case before.Executable != e.Executable:
			drift = append(drift, Drift{e.Path, Mode, "now " + modeOf(e.Executable)})
		}
	}
	for _, e := range old.entries {
		if _, still := l.Lookup(e.Path); !still {
			drift = append(drift, Drift{Path: e.Path, State: Missing})
		}
	}
	return drift
}
