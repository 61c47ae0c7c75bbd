// Package lazyregexp has regular expressions that are compiled when they are first
// asked, and not at each start of the program: for those that not every command asks.
//
// A pattern that is wrong panics only then, so each needs a test that asks it.
package lazyregexp

import (
	"regexp"
	"sync"
)

// Regexp is a regular expression. Several goroutines may ask it.
type Regexp struct{ compiled func() *regexp.Regexp }

// New returns the regular expression of a pattern.
func New(pattern string) *Regexp {
	return &Regexp{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })}
}

// MatchString reports whether s has a match.
func (r *Regexp) MatchString(s string) bool { return r.compiled().MatchString(s) }

// FindStringSubmatch returns the leftmost match and its groups, nil if there is none.
func (r *Regexp) FindStringSubmatch(s string) []string { return r.compiled().FindStringSubmatch(s) }

// Match reports whether b has a match.
func (r *Regexp) Match(b []byte) bool { return r.compiled().Match(b) }

// FindString returns the leftmost match, "" if there is none.
func (r *Regexp) FindString(s string) string { return r.compiled().FindString(s) }
