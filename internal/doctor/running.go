package doctor

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/runwrit/writ/internal/config"
)

// interpreters are the programs that runbooks of the known kinds run in, and the
// one that makes their sandbox.
var interpreters = []string{"bash", "sh", "python3", "pwsh", "perl", "ruby", "node", "bwrap"}

// running looks at what runbooks run in, and at what is left open to them.
func (x *examination) running(w *config.Worker, good owners) {
	for dir := range strings.SplitSeq(usualPath, ":") {
		at, ok := x.find(dir)
		if !ok || !at.info.IsDir() {
			continue
		}
		x.writable("interpreter-writable", dir, x.flaws(at, onlyRoot))
		for _, name := range interpreters {
			p := path.Join(dir, name)
			if program, ok := x.find(p); ok {
				x.writable("interpreter-writable", p, x.flaws(program, onlyRoot))
			}
		}
	}
	kinds := make([]string, 0, len(w.Interpreters))
	for kind := range w.Interpreters {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		p := w.Interpreters[kind].Program
		at, ok := x.find(p)
		if !ok {
			x.add(Finding{Code: "config-unusable", Where: p, Detail: "the configuration names this interpreter for " + kind + ", and it is not there", Note: "install it, or mend the configuration"})
			continue
		}
		x.writable("interpreter-writable", p, x.flaws(at, onlyRoot))
	}
	if w.Logs != nil {
		x.logs(w.Logs.Dir, good)
	}
	x.opened(w)
}

func (x *examination) logs(p string, good owners) {
	at, ok := x.find(p)
	if !ok {
		f := Finding{Code: "logs-missing", Where: p}
		x.makeFolder(&f, p)
		x.add(f)
		return
	}
	x.writable("logs-writable", p, x.flaws(at, good))
}

// opened looks for what writ relies on among the folders that the sandbox leaves
// open for writing.
func (x *examination) opened(w *config.Worker) {
	relied := []struct{ what, path string }{
		{"the trust store", w.Trust}, {"the policy", w.Policy}, {"the ledger", w.Ledger}, {"the state folder", w.State},
	}
	if w.Logs != nil {
		relied = append(relied, struct{ what, path string }{"the logs", w.Logs.Dir})
	}
	for _, open := range w.Run.Sandbox.Write {
		for _, r := range relied {
			if r.path == "" || !x.overlap(open, r.path) {
				continue
			}
			x.add(Finding{
				Code: "sandbox-opens", Where: open, Detail: fmt.Sprintf("run.sandbox.write opens it to runbooks, and %s is %s", r.what, r.path),
				Note: "name under run.sandbox.write only what runbooks need, or put the other elsewhere",
			})
		}
	}
}

// overlap says whether one of two places lies in the other, links followed.
func (x *examination) overlap(a, b string) bool {
	if at, ok := x.find(a); ok {
		a = at.path
	}
	if at, ok := x.find(b); ok {
		b = at.path
	}
	inside := func(p, dir string) bool { return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/") }
	return inside(a, b) || inside(b, a)
}
