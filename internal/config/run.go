package config

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/account"
	"github.com/runwrit/writ/internal/lazyregexp"
)

// Run says how runbooks are run where the policy does not.
type Run struct {
	// User is the account that runbooks run as; "" where it is not said.
	User    string
	Sandbox Sandbox
}

// Sandbox is what the profiles that confine a runbook leave open to it.
type Sandbox struct {
	// Read and Write are folders and files, absolute, that it may read, and write.
	Read, Write []string
	Limits      Limits
	// Cgroup is the name of the control group below which each run gets its own, as it
	// stands in /proc/self/cgroup; "" for that of the gate.
	Cgroup string
}

// Limits bound what one run may use up. 0 is where the worker's own limit holds.
type Limits struct {
	Memory, FileSize, Tmp int64 // bytes
	Processes, OpenFiles  int
	CPU                   time.Duration // of each of its processes
}

// Bounds of limits. What is below the least would keep an interpreter from
// starting.
const (
	minMemory, minFileSize, minTmp = 16 << 20, 1 << 10, 1 << 20
	minProcesses, maxProcesses     = 4, 1 << 20
	minOpenFiles, maxOpenFiles     = 32, 1 << 20
	minCPU, maxCPU                 = time.Second, 24 * time.Hour
)

func (t *tree) run(n *yaml.Node) Run {
	f := t.Fields(n, "run", "user", "sandbox")
	if len(f) == 0 && n.Kind == yaml.MappingNode {
		t.Problem(n, "run", "says nothing: give user or sandbox")
	}
	r := Run{User: t.Word(f["user"], "run.user", account.Problem)}
	if v := f["sandbox"]; v != nil {
		r.Sandbox = t.sandbox(v, "run.sandbox")
	}
	return r
}

func (t *tree) sandbox(n *yaml.Node, field string) Sandbox {
	f := t.Fields(n, field, "read", "write", "limits", "cgroup")
	if len(f) == 0 && n.Kind == yaml.MappingNode {
		t.Problem(n, field, "says nothing: give read, write, limits or cgroup")
	}
	var s Sandbox
	for _, list := range []struct {
		key  string
		into *[]string
	}{{"read", &s.Read}, {"write", &s.Write}} {
		if v := f[list.key]; v != nil {
			*list.into = t.List(v, field+"."+list.key, openedPathProblem)
		}
	}
	for _, both := range s.Read {
		if slices.Contains(s.Write, both) {
			t.Problem(f["read"], field+".read", "%q stands in write, too: what may be written may be read", both)
		}
	}
	if v := f["limits"]; v != nil {
		s.Limits = t.limits(v, field+".limits")
	}
	s.Cgroup = t.Word(f["cgroup"], field+".cgroup", pathProblem)
	return s
}

// openedPathProblem refuses to open everything, and what a sandbox has its own of.
func openedPathProblem(s string) string {
	if bad := pathProblem(s); bad != "" {
		return bad
	}
	if s == "/" || s == "/run" || s == "/tmp" {
		return "is everything, or hides what a sandbox has its own of: name what the runbooks need of it"
	}
	for _, own := range []string{"/proc", "/dev", "/sys", "/run/writ", "/etc/writ"} {
		if s == own || strings.HasPrefix(s, own+"/") {
			return own + " is never opened: a sandbox has its own, or none"
		}
	}
	return ""
}

func (t *tree) limits(n *yaml.Node, field string) Limits {
	f := t.Fields(n, field, "memory", "processes", "file_size", "open_files", "cpu", "tmp")
	if len(f) == 0 && n.Kind == yaml.MappingNode {
		t.Problem(n, field, "says nothing: give memory, processes, file_size, open_files, cpu or tmp")
	}
	var l Limits
	for _, size := range []struct {
		key   string
		least int64
		into  *int64
	}{{"memory", minMemory, &l.Memory}, {"file_size", minFileSize, &l.FileSize}, {"tmp", minTmp, &l.Tmp}} {
		if v := f[size.key]; v != nil {
			*size.into = t.size(v, field+"."+size.key, size.least)
		}
	}
	if v := f["processes"]; v != nil {
		l.Processes = t.Number(v, field+".processes", minProcesses, maxProcesses)
	}
	if v := f["open_files"]; v != nil {
		l.OpenFiles = t.Number(v, field+".open_files", minOpenFiles, maxOpenFiles)
	}
	if v := f["cpu"]; v != nil {
		t.Word(v, field+".cpu", func(s string) string {
			d, err := time.ParseDuration(s)
			if err != nil || d < minCPU || d > maxCPU || d%time.Second != 0 {
				return "want whole seconds from 1s to 24h, such as 90s or 10m"
			}
			l.CPU = d
			return ""
		})
	}
	return l
}

var sizeForm = lazyregexp.New(`^([1-9][0-9]{0,9})(KiB|MiB|GiB|TiB)$`)

// size reads a number of bytes; 0 where it is none.
func (t *tree) size(n *yaml.Node, field string, least int64) (bytes int64) {
	t.Word(n, field, func(s string) string {
		m := sizeForm.FindStringSubmatch(s)
		if m == nil {
			return "want a whole number and KiB, MiB, GiB or TiB, such as 512MiB"
		}
		shift := 10 * (1 + slices.Index([]string{"KiB", "MiB", "GiB", "TiB"}, m[2]))
		count, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil || count > math.MaxInt64>>shift {
			return "is too much"
		}
		if bytes = count << shift; bytes < least {
			bytes = 0
			return "is too little: want " + strconv.FormatInt(least>>10, 10) + "KiB or more"
		}
		return ""
	})
	return bytes
}
