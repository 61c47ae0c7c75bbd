// Package audience knows the form of what a token is for: the name or the ID of an
// application, or its address. Who writes a policy and who hands out tokens by it must
// agree on it. It does not know which applications there are.
package audience

import (
	"strings"

	"github.com/runwrit/writ/internal/lazyregexp"
)

// MaxSize is the largest audience in bytes.
const MaxSize = 256

var (
	// nameForm holds for names and GUIDs.
	nameForm = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._@-]*$`)
	// addressForm is one way to write an address: no user, port, query, fragment or
	// escape. No part begins with a dot: "/.default" at the end is a scope, which
	// libraries cut off, and what is left would be another audience.
	addressForm = lazyregexp.New(`^(https|api)://[A-Za-z0-9][A-Za-z0-9.-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*/?$`)
)

// maxName is the largest name in bytes.
const maxName = 64

// Problem says what is wrong with an audience, "" for nothing.
func Problem(s string) string {
	if len(s) <= maxName && nameForm.MatchString(s) || len(s) <= MaxSize && addressForm.MatchString(s) {
		return ""
	}
	return `want the ID or the name of an application (at most 64 ASCII letters, digits and ". _ @ -"), or its plain https:// or api:// address`
}

// Same says whether two audiences, which have no Problem, are the same: byte by byte,
// but for one slash at the end of an address.
func Same(a, b string) bool { return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/") }
