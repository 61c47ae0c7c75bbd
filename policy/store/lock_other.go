//go:build !linux && !darwin

package store

import (
	"context"
	"os"
)

// lock does nothing here: the gate does not run on these systems yet.
func (s *Store) lock(context.Context) (unlock func(), err error) { return func() {}, nil }

// syncOpened does nothing: a folder cannot be synced here.
func syncOpened(*os.File) error { return nil }
