// Package packaging_test checks the files that a package of writ puts on a
// machine with systemd, by systemd's own programs. That the commands in the units
// are writ's is checked beside the commands.
package packaging_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/testenv"
)

// program is where a package puts writ.
const program = "/usr/bin/writ"

// units copies the units to a folder, with a program in them that is there: with
// writ's own systemd-analyze would complain of the machine and not of the unit.
func units(t *testing.T, change func(string) string) (dir string, names []string) {
	t.Helper()
	dir = t.TempDir()
	there, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob("systemd/*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no units: %v", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// An instance stands for its template.
		name := strings.Replace(filepath.Base(path), "@.", "@disk-report.sh.asc.", 1)
		unit := change(strings.ReplaceAll(string(text), program, there))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(unit), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return dir, names
}

// verify returns what systemd-analyze says against a unit.
func verify(t *testing.T, dir, name string) string {
	t.Helper()
	out, err := exec.Command(testenv.Tool(t, "systemd-analyze"), "verify", "--man=no", filepath.Join(dir, name)).CombinedOutput()
	if err != nil {
		return string(out) + err.Error()
	}
	return string(out)
}

func TestSystemdHasNothingToSayAgainstTheUnits(t *testing.T) {
	t.Parallel()
	dir, names := units(t, func(unit string) string { return unit })
	for _, name := range names {
		if said := verify(t, dir, name); said != "" {
			t.Errorf("%s: %s", name, said)
		}
	}
}

// systemd only warns of what it does not know, and ends well.
func TestAMisspelledDirectiveIsFound(t *testing.T) {
	t.Parallel()
	dir, names := units(t, func(unit string) string { return strings.ReplaceAll(unit, "NoNewPrivileges=", "NoNewPrivilege=") })
	for _, name := range names {
		if said := verify(t, dir, name); strings.HasSuffix(name, ".service") && !strings.Contains(said, "NoNewPrivilege") {
			t.Errorf("%s: systemd-analyze says %q", name, said)
		}
	}
}

// The figures are systemd's own of how much a unit could still do, from 0 to 10;
// a service that leaves everything open has 9.6.
func TestTheUnitsGiveUpWhatTheyDoNotNeed(t *testing.T) {
	t.Parallel()
	const tenths = 10
	most := map[string]int{"writ-run@disk-report.sh.asc.service": 4.5 * tenths}
	dir, names := units(t, func(unit string) string { return unit })
	for _, name := range names {
		if !strings.HasSuffix(name, ".service") {
			continue
		}
		limit, ok := most[name]
		if !ok {
			limit = 1.5 * tenths
		}
		analyze := exec.Command(testenv.Tool(t, "systemd-analyze"), "security", "--offline=yes", "--no-pager",
			"--threshold="+strconv.Itoa(limit), filepath.Join(dir, name))
		if out, err := analyze.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// The user and the folders are made for real, in a root of the test's own.
func TestTheUserAndTheFoldersAreMade(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root can make folders that belong to others")
	}
	root := t.TempDir()
	left := filepath.Join(root, "tmp", "writ-run-1")
	for _, dir := range []string{filepath.Join(root, "etc"), left} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	apply(t, "systemd-sysusers", root, "sysusers.d/writ.conf")
	apply(t, "systemd-tmpfiles", root, "tmpfiles.d/writ.conf", "--create", "--remove", "--boot")

	accounts, err := os.ReadFile(filepath.Join(root, "etc", "passwd"))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Split(strings.TrimSpace(string(accounts)), ":")
	if len(fields) != 7 || fields[0] != "writ" || fields[2] == "0" || !strings.HasSuffix(fields[6], "/nologin") {
		t.Fatalf("the account is %q", fields)
	}
	for dir, want := range map[string]string{
		"etc/writ": "0 755", "etc/writ/trust": "0 755", "etc/writ/policy": "0 755", "etc/writ/policy/keys": "0 755", "srv/runbooks": "0 755",
		"etc/writ/policy/state": fields[2] + " 700", "var/lib/writ": fields[2] + " 700", "var/log/writ": fields[2] + " 700",
	} {
		said, err := exec.Command("stat", "-c", "%u %a", filepath.Join(root, dir)).Output()
		if got := strings.TrimSpace(string(said)); err != nil || got != want {
			t.Errorf("/%s is %q, want %q: %v", dir, got, want, err)
		}
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what a killed gate left is still there after a boot: %v", err)
	}
}

// apply has a file read by its program; what it says is an error, also where its
// exit code is 0.
func apply(t *testing.T, tool, root, file string, args ...string) {
	t.Helper()
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(testenv.Tool(t, tool), append(args, "--root="+root, "-")...)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = bytes.NewReader(text)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v", tool, err)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "Creating ") {
			t.Errorf("%s: %s", tool, line)
		}
	}
}
