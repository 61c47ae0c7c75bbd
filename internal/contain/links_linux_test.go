package contain_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/contain"
)

// The account of the runbooks may write a folder, and lets a link stand in it where a
// path that is shown goes through: to the root of the host, or to what must not be
// changed. Nothing is shown then.
func TestAttackALinkInAPathThatIsShown(t *testing.T) {
	t.Parallel()
	start(t, bash(contain.Namespaces, "true"), contain.IO{}).Close() // or skip
	for _, target := range []string{"/", "/etc", "/usr/share"} {
		dir := open(t)
		inner := filepath.Join(dir, "app", "sub")
		if err := errors.Join(os.MkdirAll(inner, 0o755), os.Symlink(target, filepath.Join(inner, "conf")), os.Symlink(inner, filepath.Join(dir, "app", "to"))); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{filepath.Join(inner, "conf"), filepath.Join(dir, "app", "to")} {
			for _, spec := range []contain.Spec{
				{Read: []string{path}, Write: []string{filepath.Join(dir, "app")}},
				{Write: []string{filepath.Join(dir, "app"), path}},
			} {
				s := bash(contain.Namespaces, "ls /..")
				s.Read, s.Write = spec.Read, spec.Write
				p, err := contain.Start(t.Context(), contain.Self, s, contain.IO{})
				if p != nil {
					p.Close()
				}
				var unavailable *contain.UnavailableError
				if !errors.As(err, &unavailable) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "link") {
					t.Errorf("%s to %s: %v", path, target, err)
				}
			}
		}
	}
}
