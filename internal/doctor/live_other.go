//go:build !linux

package doctor

import (
	"errors"
	"os"
)

var errLinuxOnly = errors.New("only Linux is asked")

// ClockSynchronized asks the kernel whether something keeps its clock right.
func ClockSynchronized() (bool, error) { return false, errLinuxOnly }

// FreeSpace is how much more a user may write on the file system of a folder.
func FreeSpace(*os.File) (uint64, error) { return 0, errLinuxOnly }
