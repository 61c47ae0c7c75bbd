package whatif_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/whatif"
)

// library writes the files, signed unless the name begins with "unsigned", and
// audits them.
func (g *gate) library(files ...string) (dir string, r *audit.Result) {
	g.t.Helper()
	dir = g.t.TempDir()
	for _, name := range files {
		path, data := filepath.Join(dir, name), []byte("echo hello\n")
		if !strings.HasPrefix(filepath.Base(name), "unsigned") {
			path, data = path+".asc", g.sign(filepath.Base(name), "echo hello\n")
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			g.t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			g.t.Fatal(err)
		}
	}
	r, err := audit.Run(g.t.Context(), []string{dir}, audit.Options{Verifier: g.verifier})
	if err != nil {
		g.t.Fatal(err)
	}
	return dir, r
}

func simulate(t *testing.T, g *gate, o whatif.SimulateOptions, files ...string) *whatif.Matrix {
	t.Helper()
	var r *audit.Result
	o.Dir, r = g.library(files...)
	o.Root, o.Now = "/srv/runbooks", atTime()
	if o.Engine == nil {
		o.Engine, o.Grants = g.engine, []byte(g.grants)
	}
	if o.Cells == 0 {
		o.Cells = 1_000
	}
	workers, callers := whatif.Subjects([]byte(g.grants))
	if o.Workers == nil {
		o.Workers = workers
	}
	if o.Callers == nil {
		o.Callers = callers
	}
	m, err := whatif.Simulate(t.Context(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// lines are the cells of a matrix in short.
func lines(m *whatif.Matrix) []string {
	var list []string
	for _, c := range m.Cells {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s/%s %s %s %s", m.Runbooks[c.Runbook].Path, m.Workers[c.Worker].Group, m.Callers[c.Caller].ID, c.Word,
			strings.Join(append(c.Rules, c.Codes...), ","), strings.Join(c.Needs, ","))))
	}
	return list
}

func TestEveryRunbookIsDecidedForEachWorkerAndCaller(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	m := simulate(t, g, whatif.SimulateOptions{}, "restart.sh", "unsigned.sh", "other/x.sh")
	want := []string{
		"/srv/runbooks/other/x.sh.asc web/os:alice no no-rule-matches",
		"/srv/runbooks/other/x.sh.asc web/os:bob no no-rule-matches",
		"/srv/runbooks/other/x.sh.asc web/os:a stranger no no-rule-matches",
		"/srv/runbooks/other/x.sh.asc db/os:alice no no-rule-matches",
		"/srv/runbooks/other/x.sh.asc db/os:bob no no-rule-matches",
		"/srv/runbooks/other/x.sh.asc db/os:a stranger no no-rule-matches",
		"/srv/runbooks/other/x.sh.asc /os:alice no no-rule-matches",
		"/srv/runbooks/other/x.sh.asc /os:bob no no-rule-matches",
		"/srv/runbooks/other/x.sh.asc /os:a stranger no no-rule-matches",
		"/srv/runbooks/restart.sh.asc web/os:alice conditional parameter-missing parameter Service",
		"/srv/runbooks/restart.sh.asc web/os:bob conditional parameter-missing parameter Service",
		"/srv/runbooks/restart.sh.asc web/os:a stranger no parameter-missing,requester-not-allowed",
		"/srv/runbooks/restart.sh.asc db/os:alice conditional parameter-missing parameter Service",
		"/srv/runbooks/restart.sh.asc db/os:bob conditional parameter-missing parameter Service",
		"/srv/runbooks/restart.sh.asc db/os:a stranger no parameter-missing,requester-not-allowed",
		"/srv/runbooks/restart.sh.asc /os:alice no parameter-missing,worker-group-missing",
		"/srv/runbooks/restart.sh.asc /os:bob no parameter-missing,worker-group-missing",
		"/srv/runbooks/restart.sh.asc /os:a stranger no parameter-missing,requester-not-allowed,worker-group-missing",
		"/srv/runbooks/unsigned.sh web/os:alice no parameter-missing,signature-not-valid",
		"/srv/runbooks/unsigned.sh web/os:bob no parameter-missing,signature-not-valid",
		"/srv/runbooks/unsigned.sh web/os:a stranger no parameter-missing,requester-not-allowed,signature-not-valid",
		"/srv/runbooks/unsigned.sh db/os:alice no parameter-missing,signature-not-valid",
		"/srv/runbooks/unsigned.sh db/os:bob no parameter-missing,signature-not-valid",
		"/srv/runbooks/unsigned.sh db/os:a stranger no parameter-missing,requester-not-allowed,signature-not-valid",
		"/srv/runbooks/unsigned.sh /os:alice no parameter-missing,signature-not-valid,worker-group-missing",
		"/srv/runbooks/unsigned.sh /os:bob no parameter-missing,signature-not-valid,worker-group-missing",
		"/srv/runbooks/unsigned.sh /os:a stranger no parameter-missing,requester-not-allowed,signature-not-valid,worker-group-missing",
	}
	if diff := cmp.Diff(want, lines(m)); diff != "" {
		t.Error(diff)
	}
	counts := m.Counts()
	if !m.Complete() || counts[whatif.Yes] != 0 || counts[whatif.Conditional] != 4 || counts[whatif.No] != 23 {
		t.Errorf("complete %v, %v", m.Complete(), counts)
	}
	if m.Policy != g.engine.Policy() || !m.At.Equal(atTime()) || m.Runbooks[1].Verdict != "valid" || m.Runbooks[2].Verdict != "unsigned" {
		t.Errorf("%v, %v, %+v", m.Policy, m.At, m.Runbooks)
	}
}

func TestWithParametersTheConditionIsMet(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	alice := []policy.Caller{{Kind: "os-user", ID: "os:alice", GroupsComplete: true, Assurance: "real-uid"}}
	web := []policy.Worker{{Group: "web", OS: "linux"}}
	for name, c := range map[string]struct{ params, want string }{
		"given":           {"parameters: [{paths: [\"**/restart.sh\"], arguments: {Service: nginx}}]", "yes restart"},
		"of another form": {"parameters: [{paths: [\"**/restart.sh\"], arguments: {Service: nginx 1}}]", "no parameter-pattern"},
		"of another one":  {"parameters: [{paths: [\"/srv/restart.sh\"], arguments: {Service: nginx}}]", "conditional parameter-missing parameter Service"},
		"of the first":    {"parameters: [{paths: [\"/x\", \"**\"], arguments: {Service: nginx}}, {paths: [\"**\"], positions: [a]}]", "yes restart"},
		"by position":     {"parameters: [{paths: [\"**\"], positions: [a]}]", "no parameter-missing,parameter-unknown"},
		"that cannot be":  {"parameters: [{paths: [\"**\"], positions: [\"--x\"]}]", "no input-invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			params, err := whatif.ParseParameters("p.yaml", []byte("version: 1\n"+c.params+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			m := simulate(t, g, whatif.SimulateOptions{Workers: web, Callers: alice, Parameters: params}, "restart.sh")
			if got := strings.TrimPrefix(lines(m)[0], "/srv/runbooks/restart.sh.asc web/os:alice "); len(m.Cells) != 1 || got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// What a parameter cannot mend must not be shown as a matter of parameters.
func TestAnAnswerIsConditionalOnlyIfNothingElseIsMissing(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	freeze := policy.File{Name: "f.rego", Data: []byte("package writ.user.freeze\n\ndeny contains {\"code\": \"parameter-missing\", \"msg\": \"x\"}\n")}
	two := g.policy(rules + `  - name: pinned
    match: {paths: ["/srv/runbooks/*.sh"]}
    workers: {any: true}
    signed_by: {people: [alice]}
    requested_by: {people: [bob]}
    parameters: {A: {type: int, required: true}, B: {type: int, required: true}}
`)
	approved := g.policy(strings.Replace(rules, "    requested_by:", "    approved_by: {people: [alice, bob], at_least: 1}\n    requested_by:", 1))
	unknown := strings.Replace(approved, "requested_by: {people: [alice, bob]}", "requested_by: {anyone: true}", 1)
	unknown = strings.Replace(unknown, `["os:bob"]`, `["os:bobby"]`, 1)
	for name, c := range map[string]struct {
		engine *policy.Engine
		grants string
		want   string
	}{
		"an approval is missing, too":    {g.load(approved), approved, "conditional approval-missing,parameter-missing parameter Service,approval by 1 of alice, bob"},
		"nobody could approve":           {g.load(unknown), unknown, "no approval-missing,parameter-missing,requester-unknown"},
		"a rule of the user denies, too": {g.load(g.grants, freeze), g.grants, "no parameter-missing"},
		"nobody knows the rules":         {g.engine, "", "no parameter-missing"},
		"another rule is nearer":         {g.load(two), two, "conditional parameter-missing parameter Service"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := simulate(t, g, whatif.SimulateOptions{
				Engine: c.engine, Grants: []byte(c.grants), Workers: []policy.Worker{{Group: "web"}},
				Callers: []policy.Caller{{Kind: "os-user", ID: "os:bob", GroupsComplete: true}},
			}, "restart.sh")
			if got := strings.TrimPrefix(lines(m)[0], "/srv/runbooks/restart.sh.asc web/os:bob "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAnAnswerThatIsYesKeepsItsWarnings(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	grants := strings.Replace(g.grants, ", required: true", "", 1)
	warn := policy.File{Name: "w.rego", Data: []byte("package writ.user.w\n\nwarn contains {\"code\": \"late\", \"msg\": \"it is late\"}\n")}
	m := simulate(t, g, whatif.SimulateOptions{
		Engine: g.load(grants, warn), Grants: []byte(grants), Workers: []policy.Worker{{Group: "web"}},
		Callers: []policy.Caller{{Kind: "os-user", ID: "os:bob", GroupsComplete: true}},
	}, "restart.sh")
	c := m.Cells[0]
	if c.Word != whatif.Yes || len(c.Codes) != 1 || c.Codes[0] != "late" || c.Reasons[0].Msg != "it is late" {
		t.Errorf("%+v", c)
	}
}

// What runs only as long as a worker group only warns is not the same yes.
func TestAnAnswerThatOnlyModeWarnGivesIsNotYes(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	grants := g.grants + "worker_groups:\n  web: {mode: warn, until: \"2027-01-01T00:00:00Z\"}\n"
	m := simulate(t, g, whatif.SimulateOptions{
		Engine: g.load(grants), Grants: []byte(grants), Workers: []policy.Worker{{Group: "web"}, {Group: "db"}},
		Callers: []policy.Caller{{Kind: "os-user", ID: "os:mallory", GroupsComplete: true}},
	}, "restart.sh", "unsigned.sh")
	want := []string{
		"/srv/runbooks/restart.sh.asc web/os:mallory warned parameter-missing,requester-not-allowed", "/srv/runbooks/restart.sh.asc db/os:mallory no parameter-missing,requester-not-allowed",
		"/srv/runbooks/unsigned.sh web/os:mallory no parameter-missing,requester-not-allowed,signature-not-valid", "/srv/runbooks/unsigned.sh db/os:mallory no parameter-missing,requester-not-allowed,signature-not-valid",
	}
	if diff := cmp.Diff(want, lines(m)); diff != "" {
		t.Error(diff)
	}
}

func TestAMatrixThatIsTooLargeSaysWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	all := []string{"a.sh", "b.sh", "c.sh", "unsigned.sh"}
	m := simulate(t, g, whatif.SimulateOptions{Cells: 26}, all...)
	if m.Complete() || len(m.Runbooks) != 2 || len(m.Cells) != 18 || m.LeftOut != 2 || m.FirstLeft != "/srv/runbooks/c.sh.asc" {
		t.Errorf("%d runbooks, %d cells, %d left out from %s", len(m.Runbooks), len(m.Cells), m.LeftOut, m.FirstLeft)
	}
	if m := simulate(t, g, whatif.SimulateOptions{Cells: 8}, all...); m.Complete() || len(m.Cells) != 0 || m.LeftOut != 4 {
		t.Errorf("%d cells, %d left out", len(m.Cells), m.LeftOut)
	}
	if m := simulate(t, g, whatif.SimulateOptions{}); m.Complete() {
		t.Error("an empty library is complete")
	}
}

func TestASimulationWithoutItsPartsIsRefused(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	_, r := g.library("a.sh")
	workers, callers := whatif.Subjects([]byte(g.grants))
	good := whatif.SimulateOptions{Engine: g.engine, Workers: workers, Callers: callers, Now: atTime(), Cells: 100}
	for name, change := range map[string]func(*whatif.SimulateOptions){
		"no engine": func(o *whatif.SimulateOptions) { o.Engine = nil }, "no workers": func(o *whatif.SimulateOptions) { o.Workers = nil },
		"no callers": func(o *whatif.SimulateOptions) { o.Callers = nil }, "no time": func(o *whatif.SimulateOptions) { o.Now = time.Time{} },
		"no room": func(o *whatif.SimulateOptions) { o.Cells = 0 }, "too much room": func(o *whatif.SimulateOptions) { o.Cells = whatif.MaxCells + 1 },
	} {
		o := good
		change(&o)
		if m, err := whatif.Simulate(t.Context(), r, o); m != nil || err == nil {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	if m, err := whatif.Simulate(t.Context(), nil, good); m != nil || err == nil {
		t.Errorf("no library: %v, %v", m, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	good.Parallel, good.Progress = 1, func(int, int) { cancel() }
	if m, err := whatif.Simulate(ctx, r, good); m != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ends: %v, %v", m, err)
	}
	if (&whatif.Matrix{}).Complete() {
		t.Error("the zero value is complete")
	}
}

func TestAFileOutsideOfTheFolderKeepsItsPath(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	_, r := g.library("restart.sh")
	workers, callers := whatif.Subjects([]byte(g.grants))
	for _, o := range []whatif.SimulateOptions{{Dir: "/elsewhere", Root: "/srv"}, {}} {
		o.Engine, o.Workers, o.Callers, o.Now, o.Cells = g.engine, workers, callers, atTime(), 100
		m, err := whatif.Simulate(t.Context(), r, o)
		if err != nil || m.Runbooks[0].Path != filepath.ToSlash(r.Entries[0].Path) {
			t.Errorf("%v, %+v", err, m)
		}
	}
}
