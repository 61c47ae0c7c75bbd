package render

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/runwrit/writ/verifier"
)

// signRules are the rules of what may be wrong with a file that was to be signed,
// beside those of verdicts: what each means, and what to do. Unsigned is a verdict.
func signRules() []struct {
	state      SignState
	said, todo string
} {
	return []struct {
		state      SignState
		said, todo string
	}{
		{SignNotReached, "the command ended before it came to this file", "mend what the command ended for, and run it again: it goes on where it stopped"},
		{SignFailed, "the file was not signed, or whether it is could not be found out", "mend what the message says, and run the command again"},
		{SignStale, "there is a signature, and it is not a valid one of this text", "have it signed again by its owner: writ sign"},
		{SignToSign, "the file is still signed by the key that is to be replaced", "sign it anew: writ sign --resign"},
		{SignLeft, "the file was not signed anew, and somebody should look at it", "look at the file: writ inspect"},
	}
}

// signNotices returns an error for each file that is not signed, the worst first,
// else in their order.
func signNotices(s Signing) []notice {
	words := map[SignState]notice{SignUnsigned: {said: meaning(verifier.Unsigned), todo: Repair(verifier.Unsigned)}}
	for _, r := range signRules() {
		words[r.state] = notice{said: r.said, todo: r.todo}
	}
	var list []notice
	for _, f := range s.Files {
		n, wrong := words[f.State]
		if !wrong || f.State == SignLeft && f.Err == nil { // others' files are as they should be
			continue
		}
		n.rule, n.path, n.line = string(f.State), f.Path, f.Line
		if f.State == SignNotReached && s.Stopped != "" {
			n.said += "\n" + s.Stopped
		}
		if f.Detail != "" {
			n.said += "\n" + f.Detail
		}
		if f.Fix != "" {
			n.todo = f.Fix
		}
		list = append(list, n)
	}
	states := signStates()
	slices.SortStableFunc(list, func(a, b notice) int {
		return cmp.Compare(slices.Index(states, SignState(a.rule)), slices.Index(states, SignState(b.rule)))
	})
	return list
}

// Sign writes an annotation for each file that is not signed, and how many there
// are of each state.
func (r annotations) Sign(w io.Writer, s Signing) error {
	var b strings.Builder
	r.write(&b, signNotices(s), "files")
	var counts []string
	for _, state := range signStates() {
		if n := s.Count(state); n > 0 {
			counts = append(counts, fmt.Sprintf("%s %d", state, n))
		}
	}
	fmt.Fprintf(&b, "files %d", len(s.Files))
	if len(counts) > 0 {
		fmt.Fprintf(&b, ": %s", strings.Join(counts, ", "))
	}
	b.WriteByte('\n')
	return write(w, &b)
}

func (s sarif) Sign(w io.Writer, all Signing) error {
	return s.write(w, signNotices(all), all.Count(SignFailed)+all.Count(SignNotReached) == 0)
}
