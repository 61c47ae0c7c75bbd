package render

import (
	"fmt"
	"io"
	"strings"
)

// SignState says what became of a file that was to be signed.
type SignState string

// The states.
const (
	SignNotReached SignState = "not-reached" // the batch ended before it was signed
	SignFailed     SignState = "failed"
	SignUnsigned   SignState = "unsigned" // with --check: there is no signature
	SignStale      SignState = "stale"    // with --check: there is one, and not of this text by this signer
	SignSigned     SignState = "signed"   // signed now; with --check: signed as it stands
	SignUnchanged  SignState = "unchanged"
	SignRemoved    SignState = "removed"
	SignToSign     SignState = "to-sign" // with --resign --check: would be signed anew
	SignLeft       SignState = "left"    // with --resign: left alone, for the reason in Detail
)

// signStates returns all of them, the worst first.
func signStates() []SignState {
	return []SignState{SignNotReached, SignFailed, SignUnsigned, SignStale, SignToSign, SignLeft, SignRemoved, SignSigned, SignUnchanged}
}

// SignResult is what became of one file.
type SignResult struct {
	// Path is the file, as the user named it or as it was found in a folder.
	Path string
	// Form is the file that holds the signed form, or would: Path itself, or one
	// beside it; "" where that is not known.
	Form  string
	State SignState
	// Forms are those of a file that was signed in several formats; none of others.
	Forms []SignForm
	// Changed says that the file itself was normalised before it was signed.
	Changed bool
	// Signer is the ID of the key that signed; "" where none has.
	Signer string
	// Content is the SHA-256 of what the signature covers, in hexadecimal; "" where
	// that is not known.
	Content string
	// Detail says what is wrong, and Line where (from 1; 0 for the whole file). Fix
	// says what to do about it. All are empty where nothing is.
	Detail string
	Line   int
	Fix    string
	// Err is the error of a file that is not as it should be; nil for the others.
	Err error
}

// SignForm is a file that holds a signed form, and what became of that.
type SignForm struct {
	Format string    `json:"format"`
	Path   string    `json:"signed_form"`
	State  SignState `json:"state"`
	Signer string    `json:"signer"`
}

// Signing is what became of all files, in the order in which they were given.
type Signing struct {
	// Check says that nothing was written.
	Check bool
	// Signer is the ID of the key; "" where a trust store stood in for it.
	Signer string
	// Resigned is the ID of the signer whose signatures are to be replaced; "" where
	// none are.
	Resigned string
	Files    []SignResult
	// Stopped says why not every file was reached; "" where each was.
	Stopped string
}

// Count returns how many files are in this state.
func (s Signing) Count(state SignState) int {
	n := 0
	for _, f := range s.Files {
		if f.State == state {
			n++
		}
	}
	return n
}

// Failures returns the errors of the files that are not as they should be. Those
// that were not reached have none.
func (s Signing) Failures() []error {
	var failures []error
	for _, f := range s.Files {
		if f.Err != nil {
			failures = append(failures, f.Err)
		}
	}
	return failures
}

// Sign writes a line for each file that was signed or, with --check, is not. What
// is wrong with a file is said elsewhere, on standard error.
func (textRenderer) Sign(w io.Writer, s Signing) error {
	var b strings.Builder
	for _, f := range s.Files {
		if f.Changed {
			fmt.Fprintf(&b, "%-9s %s\n", "changed", Escape(f.Path))
		}
		for _, form := range f.Forms {
			if !s.Check || form.State == SignToSign {
				fmt.Fprintf(&b, "%-9s %s\n", form.State, Escape(form.Path))
			}
		}
		switch f.State {
		case SignSigned, SignUnchanged, SignRemoved:
			if !s.Check && len(f.Forms) == 0 {
				fmt.Fprintf(&b, "%-9s %s\n", f.State, Escape(f.Form))
			}
		case SignLeft:
			fmt.Fprintf(&b, "%-9s %s\n  %s\n", f.State, Escape(f.Path), clip(f.Detail))
		case SignUnsigned, SignStale:
			fmt.Fprintf(&b, "%-9s %s\n", f.State, Escape(f.Path))
		case SignToSign:
			if len(f.Forms) == 0 {
				fmt.Fprintf(&b, "%-9s %s\n", f.State, Escape(f.Form))
			}
		case SignNotReached, SignFailed:
		}
	}
	if s.Resigned != "" {
		var counts []string
		for _, state := range signStates() {
			if n := s.Count(state); n > 0 {
				counts = append(counts, fmt.Sprintf("%d %s", n, state))
			}
		}
		fmt.Fprintf(&b, "%d files: %s\n", len(s.Files), strings.Join(counts, ", "))
	}
	return write(w, &b)
}

type jsonSigned struct {
	Path    string    `json:"path"`
	Form    string    `json:"signed_form"`
	State   SignState `json:"state"`
	Changed bool      `json:"changed"`
	Signer  string    `json:"signer"`
	Content string    `json:"content_sha256"`
	Line    int       `json:"line"`
	Detail  string    `json:"detail"`
	Fix     string    `json:"fix"`
	// Forms is there where the file was signed in several formats.
	Forms []SignForm `json:"forms,omitempty"`
}

func (jsonRenderer) Sign(w io.Writer, s Signing) error {
	doc := struct {
		Version int            `json:"version"`
		Check   bool           `json:"check"`
		Signer  string         `json:"signer"`
		Old     string         `json:"if_signer,omitempty"`
		Counts  map[string]int `json:"counts"`
		Files   []jsonSigned   `json:"files"`
		Stopped string         `json:"stopped"`
	}{schemaVersion, s.Check, s.Signer, s.Resigned, map[string]int{}, make([]jsonSigned, 0, len(s.Files)), s.Stopped}
	for _, state := range signStates() {
		if n := s.Count(state); n > 0 {
			doc.Counts[string(state)] = n
		}
	}
	for _, f := range s.Files {
		doc.Files = append(doc.Files, jsonSigned{f.Path, f.Form, f.State, f.Changed, f.Signer, f.Content, f.Line, f.Detail, f.Fix, f.Forms})
	}
	return writeJSON(w, doc)
}
