// Package audit looks through a library of runbooks and classifies each of them
// with the verdicts of package verifier.
//
// It changes nothing, follows no symbolic link below the folders it is given,
// and permits nothing: a file may change right after it was looked at, so an
// audit is a report and never a gate.
package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// Options are the parts of an audit. Verifier is required.
type Options struct {
	Verifier *verifier.Verifier
	// Workers is how many files are checked at a time; the number of processors
	// if zero.
	Workers int
	// Within, unless zero, has the result list the signatures that end within this
	// time.
	Within time.Duration
	// Progress, if set, is called after each file with the number of files done
	// and found so far; never by two goroutines at a time.
	Progress func(done, found int)
}

// Entry is one runbook and what was found out about it.
type Entry struct {
	Path   string
	Report *verifier.Report
}

// Source is an unsigned runbook whose exact bytes the clear-signed document
// beside it covers.
type Source struct {
	Path     string
	SignedAs string
}

// Skip is a file or folder that was left out, and why.
type Skip struct{ Path, Reason string }

// Problem is a file or folder that could not be looked at at all.
type Problem struct {
	Path string
	Err  error
}

// Result is what an audit found. Its order does not depend on chance.
type Result struct {
	Entries  []Entry // worst verdict first, then by path
	Sources  []Source
	Skipped  []Skip
	Problems []Problem
	// Within is what was asked for; Expiring are the valid signatures that end by
	// then, the soonest first.
	Within   time.Duration
	Expiring []Expiry
}

// AllValid reports whether there is at least one runbook, every one is valid,
// and nothing was left unread. The zero Result is not.
func (r *Result) AllValid() bool {
	for _, e := range r.Entries {
		if e.Report.Verdict != verifier.Valid {
			return false
		}
	}
	return len(r.Entries) > 0 && len(r.Problems) == 0
}

// Counts returns how many entries have each verdict.
func (r *Result) Counts() map[verifier.Verdict]int {
	counts := map[verifier.Verdict]int{}
	for _, e := range r.Entries {
		counts[e.Report.Verdict]++
	}
	return counts
}

// Repairable returns how many entries are damaged in a way that can be undone.
func (r *Result) Repairable() int {
	n := 0
	for _, e := range r.Entries {
		if e.Report.Repair != "" {
			n++
		}
	}
	return n
}

// Run audits the files and folders at roots. A root that is a file is audited
// whatever its type; a root that cannot be read is a Problem. It fails if the
// context ends, if there is no Verifier, or with *LimitError.
func Run(ctx context.Context, roots []string, o Options) (*Result, error) {
	if o.Verifier == nil {
		return nil, errors.New("audit needs a verifier")
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &walk{seen: map[string]bool{}, files: make(chan file, 64)}
	var walkErr error
	go func() {
		defer close(w.files)
		walkErr = w.run(ctx, roots)
	}()
	c := &collector{progress: o.Progress}
	var workers sync.WaitGroup
	for range o.Workers {
		workers.Go(func() {
			for f := range w.files {
				c.add(f, look(ctx, o.Verifier, f), int(w.found.Load()))
			}
		})
	}
	workers.Wait() // and so for the walk, which closes the channel
	if walkErr != nil {
		return nil, walkErr
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	r := &Result{Entries: c.entries, Skipped: append(w.skipped, c.skipped...), Problems: append(w.problems, c.problems...)}
	r.Within = o.Within
	r.setSidecarsApart()
	r.setSourcesApart()
	r.sort()
	r.findExpiring()
	return r, nil
}

// outcome of one file: exactly one of the fields is set, none for a file that
// is no runbook.
type outcome struct {
	report *verifier.Report
	skip   string
	err    error
}

// look classifies one file that the walk found.
func look(ctx context.Context, v *verifier.Verifier, f file) outcome {
	if !f.named && runbook.KindOf(f.path) == runbook.Unknown {
		start, err := sniff(f.path)
		switch {
		case err != nil:
			return outcome{err: err}
		case start == startsAsKey:
			return outcome{skip: "an OpenPGP key, no runbook"}
		case start == startsAsOther && !strings.EqualFold(filepath.Ext(f.path), runbook.SignatureExt):
			return outcome{}
		}
	}
	report, err := Inspect(ctx, v, f.path, f.named)
	return outcome{report: report, err: err}
}

// Inspector reports the facts about a runbook: a *verifier.Verifier, or a
// *verifier.Inspector where there is no trust.
type Inspector interface {
	Inspect(ctx context.Context, rb *runbook.Runbook) (*verifier.Report, error)
}

// Inspect reads the file at path once and reports the facts about it. A file
// that is too large or has a name that no runbook may have is a fact as well:
// unsupported. An error means that the file could not be read.
func Inspect(ctx context.Context, v Inspector, path string, follow bool) (*verifier.Report, error) {
	rb, err := runbook.ReadFileWithSidecars(path, follow)
	var tooLarge *runbook.SizeError
	switch {
	case errors.As(err, &tooLarge):
		return Unsupported(path, "too-large", err.Error()), nil
	case errors.Is(err, runbook.ErrName):
		return Unsupported(path, "file-name", "no runbook may have this name: it is too long, not UTF-8, or has control characters in it"), nil
	case err != nil:
		return nil, err
	}
	return v.Inspect(ctx, rb)
}

// Unsupported is the report about a file that cannot be a runbook at all.
func Unsupported(path, code, detail string) *verifier.Report {
	name := filepath.Base(path)
	return &verifier.Report{
		Name: name, Kind: runbook.KindOf(name), Verdict: verifier.Unsupported,
		Signatures: []verifier.Signature{}, Findings: []verifier.Finding{{Code: code, Detail: detail}},
	}
}

// collector gathers what the workers find.
type collector struct {
	mu       sync.Mutex
	done     int
	progress func(done, found int)
	entries  []Entry
	skipped  []Skip
	problems []Problem
}

func (c *collector) add(f file, o outcome, found int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case o.err != nil:
		c.problems = append(c.problems, Problem{f.path, o.err})
	case o.report != nil:
		c.entries = append(c.entries, Entry{f.path, o.report})
	case o.skip != "":
		c.skipped = append(c.skipped, Skip{f.path, o.skip})
	}
	c.done++
	if c.progress != nil {
		c.progress(c.done, found)
	}
}

// setSidecarsApart takes out of the entries the detached signatures that were
// judged with the runbook beside them. What carries the name of one and is
// something worse stays.
func (r *Result) setSidecarsApart() {
	sidecars := map[string]bool{} // by path
	for _, e := range r.Entries {
		for _, name := range e.Report.Sidecars {
			sidecars[filepath.Join(filepath.Dir(e.Path), name)] = true
		}
	}
	r.Entries = slices.DeleteFunc(r.Entries, func(e Entry) bool {
		return sidecars[e.Path] && e.Report.Verdict == verifier.Unsigned
	})
}

// setSourcesApart takes the originals of clear-signed documents out of the
// entries. An original that is not byte for byte what its document signs stays,
// with a finding that says so: it is what somebody might run by mistake.
func (r *Result) setSourcesApart() {
	documents := map[string]Entry{} // by the path of the original
	for _, e := range r.Entries {
		dir, name := filepath.Split(e.Path)
		if source := runbook.PayloadName(name); source != name {
			documents[dir+source] = e
		}
	}
	entries := r.Entries[:0]
	for _, e := range r.Entries {
		doc, found := documents[e.Path]
		if !found || e.Report.Verdict != verifier.Unsigned {
			entries = append(entries, e)
			continue
		}
		if doc.Report.Verdict == verifier.Valid && !e.Report.File.IsZero() && doc.Report.Payload == e.Report.File {
			r.Sources = append(r.Sources, Source{Path: e.Path, SignedAs: doc.Path})
			continue
		}
		e.Report.Findings = append(e.Report.Findings, beside(doc))
		entries = append(entries, e)
	}
	r.Entries = entries
}

func beside(doc Entry) verifier.Finding {
	name := filepath.Base(doc.Path)
	if doc.Report.Verdict != verifier.Valid {
		return verifier.Finding{
			Code:   "signed-copy-not-valid",
			Detail: fmt.Sprintf("%s beside it would cover it and is %s", name, doc.Report.Verdict),
		}
	}
	return verifier.Finding{
		Code:   "signed-copy-differs",
		Detail: fmt.Sprintf("%s beside it signs other text", name),
		Fix:    "compare the two; then sign this file again, or replace it with the signed text",
	}
}

func (r *Result) sort() {
	slices.SortFunc(r.Entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Report.Verdict.Rank(), b.Report.Verdict.Rank()), cmp.Compare(a.Path, b.Path))
	})
	slices.SortFunc(r.Sources, func(a, b Source) int { return cmp.Compare(a.Path, b.Path) })
	slices.SortFunc(r.Skipped, func(a, b Skip) int { return cmp.Compare(a.Path, b.Path) })
	slices.SortFunc(r.Problems, func(a, b Problem) int { return cmp.Compare(a.Path, b.Path) })
}
