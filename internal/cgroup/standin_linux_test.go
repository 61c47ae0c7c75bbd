package cgroup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// standIn is a folder that stands in for version 2, whose controllers few test
// machines give away: it has the files that the kernel makes, and does what the kernel
// does when a process is moved or all are killed. It shows what is written where, not that the kernel
// takes it.
type standIn struct {
	t    *testing.T
	root string
	host host
	// delegated are the groups that systemd has left to the service.
	delegated []string
}

func newStandIn(t *testing.T, own string) *standIn {
	t.Helper()
	s := &standIn{t: t, root: filepath.Join(t.TempDir(), "cgroup fs")}
	files := t.TempDir()
	s.host = host{
		mounts:     filepath.Join(files, "mountinfo"),
		membership: filepath.Join(files, "cgroup"),
		mkdir:      s.mkdir,
		rmdir:      os.RemoveAll,
		write:      s.write,
		delegated:  func(folder string) bool { return slices.Contains(s.delegated, folder) },
	}
	s.put(s.host.membership, "0::"+own+"\n")
	s.put(s.host.mounts, "25 1 0:22 / /proc rw - proc proc rw\n30 1 0:26 / "+strings.ReplaceAll(s.root, " ", `\040`)+" rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n")
	if err := os.Mkdir(s.root, 0o755); err != nil {
		t.Fatal(err)
	}
	s.put(filepath.Join(s.root, "cgroup.controllers"), "cpu memory pids\n")
	s.put(filepath.Join(s.root, "cgroup.subtree_control"), "cpu memory pids\n")
	s.put(filepath.Join(s.root, "cgroup.procs"), "")
	return s
}

func (s *standIn) put(path, text string) {
	s.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *standIn) get(path ...string) string {
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(data))
}

func (s *standIn) mkdir(folder string) error {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	given := s.get(filepath.Dir(folder), "cgroup.subtree_control")
	s.put(filepath.Join(folder, "cgroup.controllers"), given)
	for _, file := range []string{"cgroup.subtree_control", "cgroup.procs", "cgroup.type", "cgroup.kill"} {
		s.put(filepath.Join(folder, file), "")
	}
	if strings.Contains(given, "pids") {
		s.put(filepath.Join(folder, "pids.max"), "max")
	}
	if strings.Contains(given, "memory") {
		for _, file := range []string{"memory.max", "memory.swap.max", "memory.oom.group"} {
			s.put(filepath.Join(folder, file), "max")
		}
	}
	return nil
}

func (s *standIn) write(folder, file, value string) error {
	if file == "cgroup.procs" { // in the group of before it is no longer
		_ = filepath.WalkDir(s.root, func(path string, d fs.DirEntry, _ error) error {
			if d.Name() == file {
				pids := slices.DeleteFunc(strings.Fields(s.get(path)), func(pid string) bool { return pid == value })
				s.put(path, strings.Join(pids, "\n"))
			}
			return nil
		})
		value = s.get(folder, file) + "\n" + value
	}
	if file == "cgroup.subtree_control" {
		if s.get(folder, "cgroup.procs") != "" {
			return errors.New("device or resource busy")
		}
		value = strings.ReplaceAll(value, "+", "")
	}
	if file == "cgroup.kill" {
		s.put(filepath.Join(folder, "cgroup.procs"), "")
	}
	if _, err := os.Stat(filepath.Join(folder, file)); err != nil {
		return err
	}
	s.put(filepath.Join(folder, file), value)
	return nil
}

// group makes a group with processes in it.
func (s *standIn) group(name string, pids ...string) string {
	s.t.Helper()
	folder := filepath.Join(s.root, name)
	if err := s.mkdir(folder); err != nil {
		s.t.Fatal(err)
	}
	s.put(filepath.Join(folder, "cgroup.procs"), strings.Join(pids, "\n"))
	return folder
}

func TestOnTheStandInADelegatedServiceMovesAsideAndLimitsItsJobs(t *testing.T) {
	t.Parallel()
	s := newStandIn(t, "/writ.service")
	service := s.group("writ.service", "101", "102")
	s.delegated = []string{service}
	look := s.host
	look.look = true
	if p, err := look.find(""); err != nil || p.Folder() != service {
		t.Errorf("looking finds %v, %v", p, err)
	}
	if got := s.get(service, "cgroup.procs") + s.get(service, "cgroup.subtree_control"); got != "101\n102" {
		t.Errorf("looking changed something: %q", got)
	}
	p, err := s.host.find("")
	if err != nil {
		t.Fatal(err)
	}
	if p.Version() != 2 || p.Folder() != service {
		t.Errorf("version %d in %s", p.Version(), p.Folder())
	}
	if got := s.get(service, gateGroup, "cgroup.procs"); got != "101\n102" {
		t.Errorf("the gate's own group holds %q", got)
	}
	g, err := p.New(Limits{Memory: 1 << 20, Processes: 50})
	if err != nil {
		t.Fatal(err)
	}
	folder := g.folders[0]
	got := map[string]string{}
	for _, file := range []string{"memory.max", "memory.swap.max", "memory.oom.group", "pids.max"} {
		got[file] = s.get(folder, file)
	}
	if diff := cmp.Diff(map[string]string{"memory.max": "1048576", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "50"}, got); diff != "" {
		t.Error(diff)
	}
	if err := errors.Join(g.Add(103), g.Add(104)); err != nil {
		t.Fatal(err)
	}
	if n, err := g.Count(); n != 2 || err != nil {
		t.Errorf("got %d processes (%v)", n, err)
	}
	if err := g.Kill(context.Background()); err != nil {
		t.Error(err)
	}
	if got := s.get(folder, "cgroup.kill"); got != "1" {
		t.Errorf("cgroup.kill holds %q", got)
	}
	if err := g.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the group is still there: %v", err)
	}
}

func TestOnTheStandInTheSecondGateFindsTheServiceFromTheGroupOfTheFirst(t *testing.T) {
	t.Parallel()
	s := newStandIn(t, "/writ.service/"+gateGroup)
	service := s.group("writ.service")
	s.group("writ.service/"+gateGroup, "101")
	s.delegated = []string{service}
	p, err := s.host.find("")
	if err != nil {
		t.Fatal(err)
	}
	if p.Folder() != service || s.get(service, "cgroup.subtree_control") != "memory pids" {
		t.Errorf("groups are made in %s", p.Folder())
	}
}

func TestOnTheStandInANamedGroupIsUsedAndItsProcessesStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	s := newStandIn(t, "/user.slice/session")
	jobs := s.group("jobs")
	p, err := s.host.find("/jobs")
	if err != nil || p.Folder() != jobs {
		t.Fatalf("got %v, %v", p, err)
	}
	busy := s.group("busy", "101")
	s.delegated = []string{busy} // but it is not our own
	wantUnavailable(t, s.host, "/busy", "holds processes and is not delegated")
	if got := s.get(busy, "cgroup.procs"); got != "101" {
		t.Errorf("the processes are now %q", got)
	}
}

func wantUnavailable(t *testing.T, h host, group, reason string) {
	t.Helper()
	p, err := h.find(group)
	var unavailable *UnavailableError
	if !errors.As(err, &unavailable) || !strings.Contains(err.Error(), reason) || p != nil {
		t.Errorf("got %v, %v; want %q", p, err, reason)
	}
}

func TestAHostThatCannotGiveGroupsSaysWhy(t *testing.T) {
	t.Parallel()
	t.Run("a session that is not delegated", func(t *testing.T) {
		t.Parallel()
		s := newStandIn(t, "/session")
		s.group("session", "101")
		wantUnavailable(t, s.host, "", "holds processes and is not delegated: let the service say Delegate=yes")
	})
	t.Run("a controller that is not given", func(t *testing.T) {
		t.Parallel()
		s := newStandIn(t, "/session")
		s.put(filepath.Join(s.root, "cgroup.subtree_control"), "cpu pids")
		s.group("session", "101")
		wantUnavailable(t, s.host, "", `the controller "memory" is not given to this group`)
	})
	t.Run("a group that is not there", func(t *testing.T) {
		t.Parallel()
		wantUnavailable(t, newStandIn(t, "/").host, "/no/such", "no version 2 is mounted")
	})
	for _, name := range []string{"jobs", "/jobs/../..", "/jobs/", "//jobs", "../jobs"} {
		t.Run("the name "+name, func(t *testing.T) {
			t.Parallel()
			wantUnavailable(t, newStandIn(t, "/").host, name, "is not the clean absolute name of a group")
		})
	}
	t.Run("nothing mounted at all", func(t *testing.T) {
		t.Parallel()
		s := newStandIn(t, "/")
		s.put(s.host.mounts, "25 1 0:22 / /proc rw - proc proc rw\n")
		wantUnavailable(t, s.host, "", `version 1: the controller "pids" is not mounted`)
	})
	t.Run("a group above the mount", func(t *testing.T) {
		t.Parallel()
		s := newStandIn(t, "/../other")
		wantUnavailable(t, s.host, "", "no version 2 is mounted")
	})
}

func TestAGroupThatCannotBeLimitedIsNotLeftBehind(t *testing.T) {
	t.Parallel()
	s := newStandIn(t, "/")
	folder := s.group("jobs")
	p := &Parent{version: 2, folders: []string{folder}, host: s.host} // without controllers
	if g, err := p.New(Limits{Memory: 1}); err == nil || g != nil {
		t.Errorf("got %v, %v", g, err)
	}
	if groups, err := groupsIn(folder); err != nil || len(groups) != 1 {
		t.Errorf("left: %v (%v)", groups, err)
	}
}

func TestAGroupThatNeverEmptiesDoesNotHoldUpTheGate(t *testing.T) {
	t.Parallel()
	s := newStandIn(t, "/")
	s.host.write = func(string, string, string) error { return nil } // kills nobody
	p := &Parent{version: 2, folders: []string{s.group("jobs")}, host: s.host}
	g, err := p.New(Limits{})
	if err != nil {
		t.Fatal(err)
	}
	s.put(filepath.Join(g.folders[0], "cgroup.procs"), "0\n")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := g.Kill(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	s.put(filepath.Join(g.folders[0], "cgroup.procs"), strconv.Itoa(os.Getpid()))
	if err := g.Kill(context.Background()); err == nil {
		t.Error("it would kill itself")
	}
}

func TestGroupsOfGatesThatAreGoneAreRemoved(t *testing.T) {
	t.Parallel()
	s := newStandIn(t, "/")
	folder := s.group("jobs")
	const noProcess = "4194399" // above what the kernel numbers
	for _, name := range []string{"writ-" + noProcess + "-abc", "writ-" + strconv.Itoa(os.Getpid()) + "-abc", "writ-x-abc", "writ-" + noProcess, "other", gateGroup} {
		s.group("jobs/" + name)
	}
	p := &Parent{version: 2, folders: []string{folder}, host: s.host}
	p.sweep()
	groups, err := groupsIn(folder)
	if err != nil || len(groups) != 6 || slices.Contains(groups, filepath.Join(folder, "writ-"+noProcess+"-abc")) {
		t.Errorf("left: %v (%v)", groups, err)
	}
}

func TestMountsAndMembershipAreReadAsTheKernelWritesThem(t *testing.T) {
	t.Parallel()
	got := parseMounts("33 30 0:29 /a\\040b /sys/fs/cgroup/mem\\134 rw,relatime shared:9 - cgroup cgroup rw,memory\n" +
		"34 30 0:30 / /c rw - cgroup cgroup rw,cpu,cpuacct\n35 30 0:31 / /d rw - cgroup systemd rw,xattr,name=systemd\n36 30 0:32 / /e rw - cgroup2 none rw\nnonsense\n")
	want := []mount{
		{"/a b", `/sys/fs/cgroup/mem\`, []string{"rw", "memory"}},
		{"/", "/c", []string{"rw", "cpu", "cpuacct"}},
		{"/", "/d", []string{"rw", "xattr"}},
		{"/", "/e", []string{""}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(mount{})); diff != "" {
		t.Error(diff)
	}
	groups := parseMembership("9:name=systemd:/\n4:cpu,cpuacct:/x:y\n0::/u\nbroken\n5:bad:relative\n")
	if diff := cmp.Diff(map[string]string{"name=systemd": "/", "cpu": "/x:y", "cpuacct": "/x:y", "": "/u"}, groups); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("33 30 0:29 /a\\040b /sys/fs/cgroup rw shared:9 - cgroup cgroup rw,memory\n", "0::/\n3:memory:/a\n")
	f.Add(`1 2 3 \ \1 \777 - cgroup2 x y`, "::")
	f.Fuzz(func(t *testing.T, mounts, membership string) {
		for _, m := range parseMounts(mounts) {
			if len(m.root) > len(mounts) || len(m.point) > len(mounts) || slices.Contains(m.controllers, "") && len(m.controllers) != 1 {
				t.Errorf("%q", m)
			}
		}
		for _, group := range parseMembership(membership) {
			if !strings.HasPrefix(group, "/") {
				t.Errorf("%q", group)
			}
		}
	})
}
