package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/runwrit/writ/internal/once"
	"github.com/runwrit/writ/policy"
)

// Uses remembers what may be used only so often, across crashes and restarts.
type Uses interface {
	// Use takes one of limit uses of a thing, for good: it returns nil only if that
	// is on the disk. It fails with an error that wraps ErrUsed if there is none left.
	Use(kind, key string, limit int, expires, now time.Time) error
	// Count returns how often a thing has been used.
	Count(kind, key string) (int, error)
}

// ErrUsed says that a thing has been used as often as it may be.
var ErrUsed = once.ErrUsed

// OpenUses returns a Uses that keeps them in a state folder, which must exist, and
// which only root and the current user may write.
func OpenUses(state string) (Uses, error) {
	s, err := once.Open(state)
	if err != nil { // not a nil Store that is no nil interface
		return nil, err
	}
	return s, nil
}

// take takes the uses of what a decision permits. Of a decision that has none left
// it makes a denial. An error says that it cannot be known.
func (w *Worker) take(d policy.Decision) (policy.Decision, error) {
	permit, err := d.Permit()
	if err != nil {
		return d, nil //nolint:nilerr // a denial takes nothing
	}
	for _, u := range permit.Uses() {
		if w.uses == nil {
			return d, &PermitError{fmt.Sprintf("nothing counts how often a %s is used", u.Kind)}
		}
		switch err := w.uses.Use(u.Kind, u.Key, u.Limit, u.Expires, w.now()); {
		case errors.Is(err, ErrUsed):
			return d.Refuse(u.Gone), nil
		case err != nil:
			return d, &PermitError{fmt.Sprintf("the use of a %s cannot be recorded: %v", u.Kind, err)}
		}
	}
	return d, nil
}
