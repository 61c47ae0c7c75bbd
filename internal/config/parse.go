package config

import (
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/lazyregexp"
	"github.com/runwrit/writ/internal/strictyaml"
)

// Limits of a configuration.
const (
	maxMarks  = 20_000
	maxList   = 100
	maxLabels = 100
	maxName   = 64
	maxText   = 4_096
)

var keys = []string{"version", "id", "group", "labels", "trust", "policy", "ledger", "state", "issuers", "managed_identity", "tickets", "run", "interpreters", "tokens", "logs", "ledger_segments", "ledger_checkpoints"}

// nameForm is that of names in grants.yaml: no two of them look alike.
var nameForm = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._@-]*$`)

// tree reads a configuration.
type tree struct{ *strictyaml.Tree }

// Parse reads a configuration; file is the name that problems carry. It fails
// with *SyntaxError.
func Parse(file string, data []byte) (*Worker, error) {
	t := &tree{&strictyaml.Tree{File: file, MaxSize: MaxSize, MaxMarks: maxMarks, MaxList: maxList}}
	w := t.worker(data)
	if len(t.Problems) > 0 {
		return nil, &SyntaxError{t.Problems}
	}
	return w, nil
}

func (t *tree) worker(data []byte) *Worker {
	root := t.Document(data)
	if root == nil {
		return nil
	}
	w := &Worker{Labels: map[string]string{}}
	f := t.Fields(root, "", keys...)
	if v := t.Need(f, root, "", "version"); v != nil {
		t.Number(v, "version", 1, 1)
	}
	w.ID = t.Word(t.Need(f, root, "", "id"), "id", nameProblem)
	w.Group = t.Word(f["group"], "group", nameProblem)
	if v := f["labels"]; v != nil {
		t.labels(v, w.Labels)
	}
	w.Trust = t.Word(t.Need(f, root, "", "trust"), "trust", pathProblem)
	w.Policy = t.Word(t.Need(f, root, "", "policy"), "policy", pathProblem)
	w.Ledger = t.Word(t.Need(f, root, "", "ledger"), "ledger", pathProblem)
	w.State = t.Word(f["state"], "state", pathProblem)
	if v := f["tickets"]; v != nil {
		w.TicketIssuers = t.ticketIssuers(v)
	}
	if v := f["run"]; v != nil {
		w.Run = t.run(v)
	}
	if v := f["ledger_segments"]; v != nil {
		w.Segments = t.ledgerSegments(v)
	}
	if v := f["ledger_checkpoints"]; v != nil {
		w.Checkpoints = t.ledgerCheckpoints(v)
	}
	if v := f["interpreters"]; v != nil {
		w.Interpreters = t.interpreters(v)
	}
	if v := f["logs"]; v != nil {
		w.Logs = t.logs(v)
	}
	if v := f["issuers"]; v != nil {
		w.Issuers = t.issuers(v)
	}
	if v := f["managed_identity"]; v != nil {
		w.ManagedIdentity = t.managedIdentity(v)
		if len(w.Issuers) == 0 {
			t.Problem(v, "managed_identity", "needs issuers: they say whose tokens count, its own too")
		}
	}
	if v := f["tokens"]; v != nil {
		w.Tokens = t.tokens(v, w.ManagedIdentity)
	}
	return w
}

func (t *tree) labels(n *yaml.Node, labels map[string]string) {
	pairs := t.Entries(n, "labels")
	if len(pairs) == 0 && n.Kind == yaml.MappingNode || len(pairs) > maxLabels {
		t.Problem(n, "labels", "want 1 to %d labels", maxLabels)
		return
	}
	for _, p := range pairs {
		field := "labels." + strictyaml.Clip(p.Key)
		if bad := nameProblem(p.Key); bad != "" {
			t.Problem(p.At, field, "%s", bad)
			continue
		}
		labels[p.Key] = t.Word(p.Value, field, textProblem)
	}
}

func nameProblem(s string) string {
	if len(s) <= maxName && nameForm.MatchString(s) {
		return ""
	}
	return `want a name of at most 64 ASCII letters, digits and ". _ @ -", beginning with a letter or digit`
}

// textProblem refuses what would deceive whoever reads it.
func textProblem(s string) string {
	if len(s) > maxText {
		return "is too long"
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == utf8.RuneError || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			return "holds a control character"
		}
	}
	return ""
}

// pathProblem wants one way to write a path, which leads to the same place from
// everywhere.
func pathProblem(s string) string {
	if bad := textProblem(s); bad != "" {
		return bad
	}
	if !filepath.IsAbs(s) || filepath.Clean(s) != s || strings.TrimSpace(s) != s {
		return `want an absolute path, without "..", "." and "//"`
	}
	return ""
}
