// Package verifier establishes the facts about a runbook's signatures: which
// there are, who made them, and whether each check passed. It judges against a
// trust store that it is given and a clock that it is given.
//
// It does not decide whether a runbook may run (package policy), starts no
// process and uses no network. The signature formats themselves live in package
// format; they come in through Options, by the Format interface.
package verifier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/runwrit/writ/runbook"
)

// Format is the verifying half of one signature format.
type Format interface {
	// Name is the stable word for the format, such as "authenticode".
	Name() string
	// Load reads from the trust store what the format needs, once; a store
	// without anchors for this format makes every signer untrusted. It fails if
	// an anchor cannot be read at all. What it returns must be safe for use by
	// several goroutines.
	Load(*TrustStore) (Checker, error)
}

// Checker verifies runbooks of one format against the trust it was loaded with.
type Checker interface {
	// Check looks at one runbook at the given time. It never fails: whatever the
	// bytes are, that is a fact about them.
	Check(ctx context.Context, rb *runbook.Runbook, now time.Time) Outcome
}

// Outcome is what one format makes of a file. The zero value says that the file
// is not of this format.
type Outcome struct {
	// Claimed says that the file is of this format, well made or not.
	Claimed bool
	// Capable says, where Claimed is not set, that a file of this type could
	// carry such a signature and does not.
	Capable bool
	// Verdict is the verdict on the file as a container: Malformed, Unsigned,
	// Noncanonical ... or Valid if the container is well made. The verdicts of
	// the signatures come on top.
	Verdict Verdict
	// SideBySide says that the signatures are independent of each other and all
	// cover the same payload, so that one by an unknown signer does not spoil a
	// valid one beside it. Without it each signature that is not nested must be
	// valid.
	SideBySide bool
	// Beside says that the signatures stand outside of the file. They count only
	// where no other format claims the file: they never hide or outrank what is
	// inside of it.
	Beside bool
	// Joins says, where Beside is set, that the signatures count whatever else the
	// file carries: they cover all of its bytes, and are judged together with what
	// is inside. Neither hides the other: one outcome that is untrusted does not
	// spoil a valid one, and all that is worse does.
	Joins      bool
	Signatures []Signature
	Findings   []Finding
	// Repair says how to get back to the bytes that were signed, where what
	// happened to the file is known; it counts only where the verdict is Damaged.
	Repair string
	// Payload is what would be run if everything is valid. It may share memory
	// with the runbook.
	Payload []byte
	// PayloadDigest returns the digest of Payload where the format has it from
	// somewhere; nil lets the verifier take it.
	PayloadDigest func() runbook.Digest
}

// Noter is a Checker that left something out of the trust store and says what.
type Noter interface {
	// Notes says, in whole sentences, what was left out when it was loaded.
	Notes() []string
}

// Options are the parts of a Verifier. Formats is required.
type Options struct {
	Formats []Format
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// Errors of New.
var (
	ErrNoTrust   = errors.New("no trust anchors: nothing could ever be valid")
	ErrNoFormats = errors.New("no signature formats: nothing could ever be checked")
)

// Verifier checks runbooks. It is safe for use by several goroutines.
type Verifier struct {
	trust    *TrustStore
	now      func() time.Time
	names    []string
	checkers []Checker
}

// New returns a Verifier over the given trust. It fails with ErrNoTrust or
// ErrNoFormats where there are none, with *TrustError where an anchor cannot be
// read.
func New(t *TrustStore, o Options) (*Verifier, error) {
	if t == nil || !t.anchored() {
		return nil, ErrNoTrust
	}
	return load(t, o)
}

// Inspector reports facts without any trust: it judges no signer, so for it
// nothing is ever valid. It is safe for use by several goroutines.
type Inspector struct{ verifier *Verifier }

// NewInspector returns an Inspector. It fails with ErrNoFormats where there are
// none.
func NewInspector(o Options) (*Inspector, error) {
	v, err := load(&TrustStore{}, o)
	if err != nil {
		return nil, err
	}
	return &Inspector{v}, nil
}

// Inspect reports the facts about rb as Verifier.Inspect does.
func (i *Inspector) Inspect(ctx context.Context, rb *runbook.Runbook) (*Report, error) {
	if i == nil {
		return nil, ErrNoFormats
	}
	report, err := i.verifier.Inspect(ctx, rb)
	if err == nil && report.Verdict == Valid {
		return nil, fmt.Errorf("inspect %q: a format called it valid without any trust", rb.Name())
	}
	return report, err
}

func load(t *TrustStore, o Options) (*Verifier, error) {
	if len(o.Formats) == 0 {
		return nil, ErrNoFormats
	}
	v := &Verifier{trust: t, now: o.Now}
	if v.now == nil {
		v.now = time.Now
	}
	for _, f := range o.Formats {
		c, err := f.Load(t)
		if err != nil {
			return nil, fmt.Errorf("load trust for %s: %w", f.Name(), err)
		}
		v.names = append(v.names, f.Name())
		v.checkers = append(v.checkers, c)
	}
	return v, nil
}

// Notes says what of the trust store could not be used and was left out, for the
// operator. What it says is no reason to trust or not to trust anybody.
func (v *Verifier) Notes() []string {
	var notes []string
	for _, c := range v.checkers {
		if n, ok := c.(Noter); ok {
			for _, note := range n.Notes() {
				if !slices.Contains(notes, note) { // formats may read the same room
					notes = append(notes, note)
				}
			}
		}
	}
	return notes
}

// Inspect reports the facts about rb, good or bad. An error means that it could
// not look: the context ended, or rb is nil.
func (v *Verifier) Inspect(ctx context.Context, rb *runbook.Runbook) (*Report, error) {
	report, _, err := v.examine(ctx, rb)
	return report, err
}

// Verify returns the payload of a valid runbook. For every other verdict it
// fails with *UnverifiedError, which carries the report.
func (v *Verifier) Verify(ctx context.Context, rb *runbook.Runbook) (*Verified, error) {
	report, payload, err := v.examine(ctx, rb)
	if err != nil {
		return nil, err
	}
	if report.Verdict != Valid {
		return nil, &UnverifiedError{Report: report}
	}
	return &Verified{report: report, payload: payload, set: rb.Set()}, nil
}

func (v *Verifier) examine(ctx context.Context, rb *runbook.Runbook) (*Report, []byte, error) {
	if v == nil || len(v.checkers) == 0 {
		return nil, nil, ErrNoFormats
	}
	if rb == nil || rb.Name() == "" {
		return nil, nil, errors.New("no runbook to inspect")
	}
	if rb.Set() != nil {
		return v.examineSet(ctx, rb)
	}
	now := v.now().UTC()
	report := &Report{
		Name: rb.Name(), Kind: rb.Kind(), Size: rb.Size(),
		At: now, TrustDigest: v.trust.Digest(), TrustEpoch: v.trust.Epoch(),
		Signatures: []Signature{}, Findings: []Finding{},
	}
	for _, s := range rb.Sidecars() {
		report.Sidecars = append(report.Sidecars, s.Name)
	}
	given := answers{capable: rb.Kind() != runbook.Unknown}
	for i, c := range v.checkers {
		if err := ctx.Err(); err != nil {
			return nil, nil, fmt.Errorf("inspect %q: %w", rb.Name(), err)
		}
		given.add(v.names[i], c.Check(ctx, rb, now))
	}
	claim := given.settle(report)
	report.File = rb.Digest() // last, since a large file is hashed meanwhile
	report.deny(v.trust, report.File)
	if report.Verdict != Valid {
		return report, nil, nil
	}
	if claim.PayloadDigest == nil {
		claim.PayloadDigest = runbook.DigestLater(claim.Payload)
	}
	payload := claim.PayloadDigest()
	report.deny(v.trust, payload)
	if payload != report.File && report.Verdict == Valid {
		if err := v.examineInside(ctx, report, rb.Text(claim.Payload, payload)); err != nil {
			return nil, nil, err
		}
	}
	if report.Verdict != Valid {
		return report, nil, nil
	}
	report.Payload = payload
	return report, claim.Payload, nil
}

// codeFileType is the code of the finding that a file is of no type that is known.
const codeFileType = "file-type"

// deny revokes a file that a deny list names, whatever else there is to it.
func (r *Report) deny(t *TrustStore, d runbook.Digest) {
	denial, hit := t.Denied("sha256:" + d.String())
	if !hit {
		return
	}
	r.Verdict = Revoked
	r.Findings = slices.Insert(r.Findings, 0, Finding{Code: CodeDenied, Detail: denial.String()})
}

// judge takes over what one format found, and returns its verdict. Without a
// valid signature that is never Valid, and nested ones do not count.
func (r *Report) judge(o Outcome) Verdict {
	best, worst, primary := Unsigned, o.Verdict, 0
	first := len(r.Signatures)
	for _, s := range o.Signatures {
		s.Verdict = JudgeChecks(s.Checks)
		r.Signatures = append(r.Signatures, s)
		if f, ok := r.contradiction(s); ok {
			r.Findings = append(r.Findings, f)
		}
		if s.Nested {
			continue
		}
		primary++
		if s.Verdict == Valid {
			best = Valid
		}
	}
	for _, s := range r.Signatures[first:] {
		if s.Nested || s.Verdict == Untrusted && o.SideBySide && best == Valid {
			continue
		}
		worst = Worst(worst, s.Verdict)
	}
	if primary == 0 {
		worst = Worst(worst, Unsigned)
	}
	if worst == Damaged && r.Repair == "" {
		r.Repair = o.Repair
	}
	return worst
}
