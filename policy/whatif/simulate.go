package whatif

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// Word is the answer of one cell of a matrix. The zero value is no answer, and
// means no.
type Word string

// The words.
const (
	Yes         Word = "yes"
	Warned      Word = "warned"      // yes, and only because the worker group is in mode warn
	Conditional Word = "conditional" // no, and yes with what Cell.Needs lists
	No          Word = "no"
)

// Words lists all words.
func Words() []Word { return []Word{Yes, Warned, Conditional, No} }

// MaxCells is the largest matrix.
const MaxCells = 1_000_000

// SimulateOptions are the parts of a simulation. Engine, Now, Workers and Callers
// are required.
type SimulateOptions struct {
	Engine *policy.Engine
	// Grants is the grants.yaml of the engine's policy: it says which parameters
	// the rules demand. Without it no answer is Conditional.
	Grants     []byte
	Workers    []policy.Worker
	Callers    []policy.Caller
	Parameters Parameters
	// Now is when it is asked.
	Now time.Time
	// Dir is the folder that was audited, and Root the path that it has on the
	// workers; Dir if "".
	Dir, Root string
	// Cells bounds the matrix: the runbooks that come after it, in the order of
	// their paths, are left out. From 1 to MaxCells.
	Cells int
	// Parallel is how many decisions are made at a time; the number of processors
	// if zero.
	Parallel int
	// Progress, if set, is called after each runbook with the number of those done
	// and of all; never by two goroutines at a time.
	Progress func(done, of int)
}

// Matrix is the answer for each runbook, worker and caller.
type Matrix struct {
	Policy    policy.Ref
	At        time.Time
	Runbooks  []Runbook
	Workers   []policy.Worker
	Callers   []policy.Caller
	Cells     []Cell // by runbook, then worker, then caller
	LeftOut   int    // runbooks that are not in the matrix
	FirstLeft string // the path of the first of them
}

// Runbook is one runbook of a matrix.
type Runbook struct {
	Path    string // on the workers
	Kind    string
	Verdict string
	SHA256  runbook.Digest
	// Arguments are those that it was asked about with.
	Arguments []policy.Argument
}

// Cell is one answer.
type Cell struct {
	Runbook, Worker, Caller int // indexes into the matrix
	Word                    Word
	Rules                   []string // that allow
	// Needs says what is missing of a Conditional answer, such as "parameter
	// Service", and Rule which rule allows it then.
	Needs []string
	Rule  string
	// Codes are all codes of the denial, Reasons its first reasons; of Warned those
	// of what would be denied, of Yes those of the warnings.
	Codes   []string
	Reasons []policy.Reason
}

// Counts returns how many cells have each word.
func (m *Matrix) Counts() map[Word]int {
	counts := map[Word]int{}
	for i := range m.Cells {
		counts[m.Cells[i].Word]++
	}
	return counts
}

// Complete reports whether the matrix has an answer for every runbook, of which
// there is at least one. The zero value is not complete.
func (m *Matrix) Complete() bool { return len(m.Cells) > 0 && m.LeftOut == 0 }

// Simulate decides each runbook of an audited library for each worker and each
// caller. It fails if the options make no sense or the context ends.
func Simulate(ctx context.Context, library *audit.Result, o SimulateOptions) (*Matrix, error) {
	switch {
	case o.Engine == nil || library == nil || o.Now.IsZero():
		return nil, errors.New("a simulation needs a library, an engine and a time")
	case len(o.Workers) == 0 || len(o.Callers) == 0:
		return nil, errors.New("a simulation needs workers and callers")
	case o.Cells < 1 || o.Cells > MaxCells:
		return nil, fmt.Errorf("a simulation needs room for 1 to %d cells", MaxCells)
	}
	if o.Parallel <= 0 {
		o.Parallel = runtime.GOMAXPROCS(0)
	}
	s := &simulation{o: o, outline: newOutline(o.Grants), entries: slices.Clone(library.Entries)}
	slices.SortFunc(s.entries, func(a, b audit.Entry) int { return strings.Compare(a.Path, b.Path) })
	m := &Matrix{Policy: o.Engine.Policy(), At: o.Now.UTC(), Workers: o.Workers, Callers: o.Callers, Runbooks: []Runbook{}}
	most := o.Cells / len(o.Workers) / len(o.Callers)
	if len(s.entries) > most {
		m.LeftOut, m.FirstLeft = len(s.entries)-most, s.place(s.entries[most].Path)
		s.entries = s.entries[:most]
	}
	for _, e := range s.entries {
		path := s.place(e.Path)
		m.Runbooks = append(m.Runbooks, Runbook{
			Path: path, Kind: e.Report.Kind.String(), Verdict: e.Report.Verdict.String(), SHA256: e.Report.File, Arguments: o.Parameters.of(path),
		})
	}
	m.Cells = make([]Cell, len(m.Runbooks)*len(m.Workers)*len(m.Callers))
	s.run(ctx, m)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	return m, nil
}

type simulation struct {
	o       SimulateOptions
	outline *outline
	entries []audit.Entry
}

// place is where a file of the library lies on the workers.
func (s *simulation) place(path string) string {
	path = filepath.ToSlash(path)
	if s.o.Root == "" {
		return path
	}
	if below, ok := strings.CutPrefix(path, strings.TrimSuffix(filepath.ToSlash(s.o.Dir), "/")+"/"); ok {
		return strings.TrimSuffix(s.o.Root, "/") + "/" + below
	}
	return path
}

// run fills in the cells, runbook by runbook.
func (s *simulation) run(ctx context.Context, m *Matrix) {
	told := &progress{tell: s.o.Progress}
	var next atomic.Int64
	var parallel sync.WaitGroup
	for range s.o.Parallel {
		parallel.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(m.Runbooks) {
					return
				}
				s.runbook(ctx, m, i)
				told.done(len(m.Runbooks))
			}
		})
	}
	parallel.Wait()
}

func (s *simulation) runbook(ctx context.Context, m *Matrix, i int) {
	at := i * len(m.Workers) * len(m.Callers)
	for w := range m.Workers {
		for c := range m.Callers {
			if ctx.Err() != nil {
				return
			}
			cell := Cell{Runbook: i, Worker: w, Caller: c}
			s.decide(ctx, m, &cell)
			m.Cells[at] = cell
			at++
		}
	}
}

// decide puts one question and answers it.
func (s *simulation) decide(ctx context.Context, m *Matrix, c *Cell) {
	rb := &m.Runbooks[c.Runbook]
	in, err := policy.NewReportInput(s.entries[c.Runbook].Report, policy.Request{
		Path: rb.Path, Caller: m.Callers[c.Caller], Worker: m.Workers[c.Worker], Arguments: rb.Arguments, Now: s.o.Now,
	})
	if err != nil {
		c.Word, c.Codes = No, []string{policy.CodeInputInvalid}
		c.Reasons = []policy.Reason{{Code: policy.CodeInputInvalid, Msg: err.Error(), Rule: "writ/gate"}}
		return
	}
	d := s.o.Engine.Decide(ctx, in)
	word, reasons := No, d.Deny
	switch {
	case d.Allow && len(d.WouldDeny) > 0:
		word, reasons = Warned, d.WouldDeny
	case d.Allow:
		word, reasons = Yes, d.Warn
	}
	c.Word, c.Rules, c.Codes, c.Reasons = word, d.Rules, codes(reasons), slices.Clone(first(reasons))
	if d.Allow {
		return
	}
	if rule, needs := s.missing(&in, d.Deny); len(needs) > 0 {
		c.Word, c.Rule, c.Needs = Conditional, rule, needs
	}
}

// The codes of what somebody can bring along with a request.
var bringable = []string{"parameter-missing", "approval-missing", "too-few-approvals"}

// missing returns the first rule that lacks nothing but parameters and approvals,
// and which. A reason that no rule gave stands whatever is brought.
func (s *simulation) missing(in *policy.Input, deny []policy.Reason) (rule string, needs []string) {
	for _, r := range deny {
		if _, known := s.outline.required[r.Rule]; !known {
			return "", nil
		}
	}
	for _, r := range deny {
		other := func(o policy.Reason) bool { return o.Rule == r.Rule && !slices.Contains(bringable, o.Code) }
		if slices.ContainsFunc(deny, other) {
			continue
		}
		for _, name := range s.outline.required[r.Rule] {
			if _, given := in.Parameters[name]; !given {
				needs = append(needs, "parameter "+name)
			}
		}
		if approvals := s.outline.approvals[r.Rule]; approvals != "" {
			needs = append(needs, approvals)
		}
		return r.Rule, needs
	}
	return "", nil
}
