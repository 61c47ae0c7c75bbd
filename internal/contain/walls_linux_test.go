package contain_test

import (
	"os"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/contain"
)

// What one wall keeps from a job, another one often would too: so each is looked at by
// itself, the mounts without landlock, the namespaces without the filter.
func TestTheMountsAndNamespacesOfAJobAreWallsByThemselves(t *testing.T) {
	t.Parallel()
	o := run(t, bash(contain.Namespaces, `umask; for n in pid mnt ipc; do readlink /proc/self/ns/$n; done; cat /proc/self/mountinfo`), contain.IO{})
	list := strings.Split(strings.TrimSpace(o.output), "\n")
	if len(list) < 5 || list[0] != "0077" {
		t.Fatalf("%+v", o)
	}
	for i, name := range []string{"pid", "mnt", "ipc"} {
		if own, err := os.Readlink("/proc/self/ns/" + name); err != nil || list[1+i] == own || !strings.HasPrefix(list[1+i], name) {
			t.Errorf("the namespace %s is that of the caller, %s: %v", list[1+i], own, err)
		}
	}
	for _, line := range list[4:] {
		fields := strings.Fields(line)
		path, options := fields[4], ","+fields[5]+","
		mayWrite := path == contain.HomeDir || path == contain.TempDir || strings.HasPrefix(path, "/dev/")
		if !mayWrite && !strings.Contains(options, ",ro,") || !strings.Contains(options, ",nosuid,") {
			t.Errorf("%s is mounted %s", path, fields[5])
		}
	}
}
