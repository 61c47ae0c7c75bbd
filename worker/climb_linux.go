package worker

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/runwrit/writ/runbook"
)

// notClimbable refuses a folder for the files of a run whose interpreter looks for code
// in every folder above them, as Node does (node_modules), unless nobody else can put
// any there: the sticky bit of /tmp keeps others from one's files, not from adding
// theirs.
func notClimbable(kind runbook.Kind, dir string) error {
	if !languages[kind].climbs {
		return nil
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o002 != 0 {
			return fmt.Errorf("runbooks of the kind %s load code from all folders above their own, and everybody can write to %q: "+
				"set TMPDIR to a folder in none such, or have the policy want the profile strict", kind, dir)
		}
		above := filepath.Dir(dir)
		if above == dir {
			return nil
		}
		dir = above
	}
}
