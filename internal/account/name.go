// Package account knows the accounts that runbooks run as: how policies and
// configurations name one, and what the machine knows of it.
//
// A name has one of three forms: "user", "DOMAIN\user" and "user@domain". The
// machine is always asked for the whole name as it was written, so that a domain
// account is found by whoever knows it (sssd, winbind), and never taken for the
// local account whose name is left without the domain. A number is no name.
//
// It does not become another user, and it does not say who may: package worker
// does.
package account

import (
	"fmt"
	"strings"

	"github.com/runwrit/writ/internal/lazyregexp"
)

// Name is the name of an account. Only Parse makes one; the zero value names
// none.
type Name struct {
	text, user, domain string
}

// User is the name without the domain.
func (n Name) User() string { return n.user }

// Domain is the name of the domain, "" for none.
func (n Name) Domain() string { return n.domain }

// String is the name as it was written.
func (n Name) String() string { return n.text }

// NameError says that a text does not name an account.
type NameError struct{ Text, Reason string }

func (e *NameError) Error() string { return fmt.Sprintf("account %q: %s", e.Text, e.Reason) }

const (
	maxUser   = 64
	maxDomain = 255
)

var (
	userForm   = lazyregexp.New(`^[A-Za-z0-9_][A-Za-z0-9._-]*\$?$`)
	numberForm = lazyregexp.New(`^[0-9]+$`)
	// labelForm holds for each part of the name of a domain, and for NetBIOS names.
	labelForm = lazyregexp.New(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$`)
)

// Parse reads the name of an account. It fails with *NameError.
func Parse(s string) (Name, error) {
	n, bad := parse(s)
	if bad != "" {
		return Name{}, &NameError{s, bad}
	}
	return n, nil
}

// Problem says why s does not name an account; "" if it does.
func Problem(s string) string {
	_, bad := parse(s)
	return bad
}

func parse(s string) (n Name, bad string) {
	n = Name{text: s, user: s}
	before, after, slash := strings.Cut(s, `\`)
	first, last, at := strings.Cut(s, "@")
	switch {
	case slash && at:
		return n, `it has both "\" and "@": want DOMAIN\user or user@domain`
	case slash:
		n.domain, n.user = before, after
	case at:
		n.user, n.domain = first, last
	}
	switch {
	case numberForm.MatchString(n.user):
		return n, "it is a number: want the name of the account"
	case len(n.user) > maxUser || !userForm.MatchString(n.user):
		return n, `want the name of an account, user, DOMAIN\user or user@domain: ASCII letters, digits and ". _ -"`
	case (slash || at) && !domainName(n.domain):
		return n, "what names the domain is not the name of one"
	}
	return n, ""
}

func domainName(s string) bool {
	if len(s) > maxDomain {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !labelForm.MatchString(label) {
			return false
		}
	}
	return true
}
