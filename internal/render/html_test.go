package render_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/whatif"
)

// attacks are texts that would do something on a page that let them through.
var attacks = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `</td></tr></table><iframe srcdoc=x>`, `</script><script>alert(1)//`,
	`--><svg/onload=alert(1)>`, `]]><b>`, `{{.CSP}}`, `&lt;script&gt;`, "x\u202e\x1b[31m\u2028\x00y", `javascript:alert(1)`, `</style><style>*{display:none}`,
}

// attackMatrix has every attack in every place.
func attackMatrix() render.Matrix {
	m := render.Matrix{Path: attacks[0], Matrix: &whatif.Matrix{At: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), LeftOut: 3, FirstLeft: attacks[1]}, Problems: attacks}
	for i, a := range attacks {
		m.Runbooks = append(m.Runbooks, whatif.Runbook{Path: "/srv/" + a, Kind: a, Verdict: a, Arguments: []policy.Argument{{Name: a, Value: a}}})
		m.Workers = append(m.Workers, policy.Worker{ID: a, Group: a, OS: a, Labels: map[string]string{a: a}})
		m.Callers = append(m.Callers, policy.Caller{ID: a, Groups: []string{a}})
		for _, word := range whatif.Words() {
			m.Cells = append(m.Cells, whatif.Cell{
				Runbook: i, Worker: i, Caller: i, Word: word, Rules: []string{a}, Needs: []string{a}, Rule: a, Codes: []string{a, "more"},
				Reasons: []policy.Reason{{Code: a, Msg: a, Hint: a, Rule: a}},
			})
		}
	}
	return m
}

func page(t *testing.T, m render.Matrix) string {
	t.Helper()
	var b bytes.Buffer
	if err := render.MatrixHTML(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// element is one element of a page with the text right inside it.
type element struct {
	name  string
	attrs map[string]string
	text  string
}

// elements reads a page as XML, which is stricter than any browser.
func elements(t *testing.T, page string) []*element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	var all, open []*element
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v in\n%.3000s", err, page)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attrs: map[string]string{}}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			all, open = append(all, e), append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(token)
			}
		case xml.Comment, xml.ProcInst:
			t.Errorf("the page holds %v", token)
		}
	}
}

func TestNothingInAMatrixBecomesMarkup(t *testing.T) {
	t.Parallel()
	known := map[string][]string{
		"html": {"lang"}, "head": nil, "meta": {"charset", "http-equiv", "content", "name"}, "title": nil, "style": nil, "body": nil, "h1": nil, "dl": nil, "dt": nil, "dd": nil,
		"p": nil, "b": nil, "code": nil, "ul": nil, "li": nil, "span": {"class"}, "form": {"id", "hidden"}, "label": nil, "input": {"name", "type", "autocomplete"},
		"select": {"name"}, "option": {"value"}, "output": {"id"}, "button": {"type"}, "table": nil, "thead": nil, "tbody": nil, "th": {"scope"}, "td": nil,
		"tr": {"class", "data-worker", "data-caller", "data-answer", "data-codes"}, "script": nil,
	}
	counts := map[string]int{}
	for _, e := range elements(t, page(t, attackMatrix())) {
		counts[e.name]++
		allowed, ok := known[e.name]
		if !ok {
			t.Errorf("the page has an element %s", e.name)
		}
		for name := range e.attrs {
			if !slices.Contains(allowed, name) {
				t.Errorf("the page has %s with the attribute %s", e.name, name)
			}
		}
	}
	rows := len(attacks) * len(whatif.Words())
	for name, want := range map[string]int{"script": 1, "style": 1, "table": 1, "tr": rows + 1, "td": 5 * rows, "li": rows, "meta": 4, "form": 1} {
		if counts[name] != want {
			t.Errorf("%d elements %s, want %d", counts[name], name, want)
		}
	}
}

func TestAPageShowsWhatItWasGiven(t *testing.T) {
	t.Parallel()
	text := page(t, attackMatrix())
	if strings.ContainsAny(text, "\x1b\x00\u202e\u2028") {
		t.Error("the page holds a control character")
	}
	var cells []string
	for _, e := range elements(t, text) {
		if e.name == "td" {
			cells = append(cells, e.text)
		}
	}
	for _, a := range attacks {
		if !slices.Contains(cells, "/srv/"+render.Escape(a)) {
			t.Errorf("no cell says %q", render.Escape(a))
		}
	}
}

func TestThePolicyOfAPageAllowsItsOwnScriptAndStyleOnly(t *testing.T) {
	t.Parallel()
	var policies, script, style []string
	for _, e := range elements(t, page(t, attackMatrix())) {
		switch {
		case e.attrs["http-equiv"] != "":
			policies = append(policies, e.attrs["content"])
		case e.name == "script":
			script = append(script, e.text)
		case e.name == "style":
			style = append(style, e.text)
		}
	}
	digest := func(text []string) string {
		sum := sha256.Sum256([]byte(strings.Join(text, "")))
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	want := []string{fmt.Sprintf("default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'", digest(script), digest(style))}
	if diff := cmp.Diff(want, policies); diff != "" {
		t.Error(diff)
	}
	if text := page(t, attackMatrix()); strings.Contains(text, "http://") || strings.Contains(text, "https://") || strings.Contains(text, "url(") || strings.Contains(text, "@import") {
		t.Error("the page names something outside of it")
	}
}

// A page is read by people whose browser runs no script, too: the form is hidden
// until the script shows it, and no row is.
func TestAPageCanBeReadWithoutItsScript(t *testing.T) {
	t.Parallel()
	for _, e := range elements(t, page(t, attackMatrix())) {
		if _, hidden := e.attrs["hidden"]; hidden != (e.name == "form") {
			t.Errorf("%s: hidden %v", e.name, hidden)
		}
	}
}

// smallMatrix has two runbooks, two workers and two callers.
func smallMatrix() render.Matrix {
	m := render.Matrix{Path: "lib", Matrix: &whatif.Matrix{
		Runbooks: []whatif.Runbook{{Path: "/srv/Restart.sh"}, {Path: "/srv/report.sh"}},
		Workers:  []policy.Worker{{Group: "web"}, {Group: "db", OS: "linux", Labels: map[string]string{"env": "prod"}}},
		Callers:  []policy.Caller{{ID: "os:alice", GroupsComplete: true}, {ID: "os:bob", GroupsComplete: true}},
	}}
	words := []whatif.Word{whatif.Yes, whatif.No, whatif.Conditional, whatif.No, whatif.Yes, whatif.Yes, whatif.No, whatif.No}
	for i, word := range words {
		c := whatif.Cell{Runbook: i / 4, Worker: i / 2 % 2, Caller: i % 2, Word: word, Rules: []string{"r"}, Needs: []string{"parameter S"}, Rule: "r"}
		if word == whatif.No {
			c.Codes = []string{"a-b", "c"}
			c.Reasons = []policy.Reason{{Code: "a-b", Msg: "m", Rule: "r"}}
		}
		m.Cells = append(m.Cells, c)
	}
	return m
}

// dom is as much of a browser as the script of the page needs.
const dom = `
const fs = require("fs"), given = JSON.parse(fs.readFileSync(process.argv[2]));
const rows = given.rows.map((r) => ({ hidden: false, getAttribute: (n) => r[n], cells: [{ textContent: r.runbook }] }));
const listeners = {}, elements = {};
["runbook", "worker", "caller", "answer", "codes"].forEach((n) => { elements[n] = { value: "" }; });
const form = { hidden: true, elements, addEventListener: (n, f) => { listeners[n] = f; } }, shown = { textContent: "" };
global.document = { getElementById: (id) => ({ filter: form, shown })[id], querySelectorAll: () => rows };
(0, eval)(given.script);
const said = [[form.hidden, shown.textContent]];
given.filters.forEach((f) => {
  Object.keys(elements).forEach((n) => { elements[n].value = f[n] || ""; });
  listeners.input();
  said.push([rows.map((r) => (r.hidden ? "-" : "x")).join(""), shown.textContent]);
});
console.log(JSON.stringify(said));
`

func TestTheScriptOfAPageFiltersItsRows(t *testing.T) {
	t.Parallel()
	node := testenv.Tool(t, "node")
	given := map[string]any{"filters": []map[string]string{
		{"runbook": "RESTART"}, {"worker": "1"}, {"caller": "0"}, {"answer": "no"}, {"codes": "a-b"}, {"codes": "a"}, {"runbook": "srv", "answer": "yes", "caller": "1"}, {},
	}}
	var rows []map[string]string
	current := -1
	for _, e := range elements(t, page(t, smallMatrix())) {
		switch {
		case e.name == "script":
			given["script"] = e.text
		case e.attrs["data-answer"] != "":
			rows = append(rows, e.attrs)
			current = len(rows) - 1
		case e.name == "td" && current >= 0 && rows[current]["runbook"] == "":
			rows[current]["runbook"] = e.text
		}
	}
	given["rows"] = rows
	data, err := json.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{"dom.js": []byte(dom), "given.json": data} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), node, filepath.Join(dir, "dom.js"), filepath.Join(dir, "given.json")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := `[[false,"8 of 8"],["xxxx----","4 of 8"],["--xx--xx","4 of 8"],["x-x-x-x-","4 of 8"],["-x-x--xx","4 of 8"],["-x-x--xx","4 of 8"],` +
		`["--------","0 of 8"],["-----x--","1 of 8"],["xxxxxxxx","8 of 8"]]`
	if got := strings.TrimSpace(string(out)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAMatrixAsTextAndJSON(t *testing.T) {
	t.Parallel()
	write := func(format string, m render.Matrix) string {
		r, err := render.New(format)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := r.Matrix(&b, m); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x1b\x00\u202e\u2028") {
			t.Errorf("%s holds a control character", format)
		}
		return b.String()
	}
	want := `library  lib
policy   none
at       0001-01-01T00:00:00Z
asked    2 runbooks, 2 workers, 2 callers
answers  8: 3 yes, 0 warned, 1 conditional, 4 no

yes          /srv/Restart.sh  web           os:alice  rule r
no           /srv/Restart.sh  web           os:bob    a-b: m; also c
conditional  /srv/Restart.sh  db, env=prod  os:alice  needs parameter S (rule r)
no           /srv/Restart.sh  db, env=prod  os:bob    a-b: m; also c
yes          /srv/report.sh   web           os:alice  rule r
yes          /srv/report.sh   web           os:bob    rule r
no           /srv/report.sh   db, env=prod  os:alice  a-b: m; also c
no           /srv/report.sh   db, env=prod  os:bob    a-b: m; also c
`
	if diff := cmp.Diff(want, write("text", smallMatrix())); diff != "" {
		t.Error(diff)
	}
	for _, m := range []render.Matrix{attackMatrix(), {Matrix: &whatif.Matrix{}}} {
		write("text", m)
		var doc map[string]any
		text := write("json", m)
		if err := json.Unmarshal([]byte(text), &doc); err != nil || doc["complete"] != false || strings.Contains(text, "null") {
			t.Errorf("%v: %.2000s", err, text)
		}
	}
}

// failingWriter cannot be written to.
type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAPageThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	if err := render.MatrixHTML(failingWriter{}, smallMatrix()); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}
