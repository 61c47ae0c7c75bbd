package contain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/runwrit/writ/internal/confine"
)

// confine takes the rights of the calling thread away, and with it those of the process
// that it will start.
func (s *stage) confine(by *[]string) error {
	limits := s.spec.Limits
	if err := (confine.Limits{
		Processes: limits.Processes, FileSize: limits.FileSize, OpenFiles: limits.OpenFiles, CPU: limits.CPU, Data: limits.Data,
	}).Apply(); err != nil {
		return err
	}
	if !s.spec.NoNewPrivs {
		return nil
	}
	if err := confine.NoNewPrivs(); err != nil {
		return err
	}
	var keep []confine.Capability
	if os.Geteuid() == 0 && (s.spec.User == nil || s.spec.User.UID == 0) {
		keep = confine.OfRoot()
	}
	if err := confine.DropCapabilities(keep); err != nil {
		return err
	}
	if err := s.landlock(by); err != nil {
		return err
	}
	if err := confine.Seccomp(); err != nil {
		return err
	}
	*by = append(*by, "seccomp")
	return nil
}

// landlock is a second wall behind the mounts, where the kernel has it.
func (s *stage) landlock(by *[]string) error {
	var abi int
	var err error
	if s.spec.Form == Namespaces {
		abi, err = confine.LandlockFiles(s.visible())
	} else {
		abi, err = confine.LandlockScope()
	}
	switch {
	case errors.Is(err, confine.ErrNotHere):
		return nil
	case err != nil:
		return err
	}
	*by = append(*by, fmt.Sprintf("landlock %d", abi))
	return nil
}

// visible is what the new root folder holds.
func (s *stage) visible() confine.Files {
	system := slices.DeleteFunc(slices.Clone(systemFolders), func(path string) bool {
		_, err := os.Stat(path)
		return errors.Is(err, fs.ErrNotExist)
	})
	return confine.Files{
		List:  []string{"/"}, // of which all there is can be read anyway
		Read:  slices.Concat(system, []string{RunbookDir, "/proc"}, resolver(), s.spec.Read),
		Write: slices.Concat([]string{HomeDir, TempDir, "/dev"}, s.spec.Write),
	}
}
