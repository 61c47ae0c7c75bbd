//go:build unix

package testenv

import "syscall"

// The gate refuses files that a group may write, so under umask 002 it would
// refuse what its own tests make.
func init() { syscall.Umask(0o022) }
