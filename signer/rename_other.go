//go:build !linux

package signer

import "errors"

// renameNew is not to be had here: a link and a removal take its place.
func renameNew(string, string) error { return errors.ErrUnsupported }
