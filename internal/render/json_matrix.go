package render

import (
	"io"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/whatif"
	"github.com/runwrit/writ/runbook"
)

type jsonSimulated struct {
	Path      string            `json:"path"`
	Kind      string            `json:"kind"`
	Verdict   string            `json:"verdict"`
	SHA256    runbook.Digest    `json:"sha256"`
	Arguments []policy.Argument `json:"arguments"`
}

// jsonCell refers to runbook, worker and caller by their places in the lists.
type jsonCell struct {
	Runbook int             `json:"runbook"`
	Worker  int             `json:"worker"`
	Caller  int             `json:"caller"`
	Answer  whatif.Word     `json:"answer"`
	Rules   []string        `json:"rules"`
	Needs   []string        `json:"needs"`
	With    string          `json:"needs_rule"`
	Codes   []string        `json:"codes"`
	Reasons []policy.Reason `json:"reasons"` // the first ones
}

func (jsonRenderer) Matrix(w io.Writer, m Matrix) error {
	counts := m.Counts()
	type answers struct {
		Yes         int `json:"yes"`
		Warned      int `json:"warned"`
		Conditional int `json:"conditional"`
		No          int `json:"no"`
	}
	doc := struct {
		Version   int             `json:"version"`
		Path      string          `json:"path"`
		Policy    policy.Ref      `json:"policy"`
		At        time.Time       `json:"at"`
		Complete  bool            `json:"complete"`
		LeftOut   int             `json:"runbooks_left_out"`
		FirstLeft string          `json:"first_left_out"`
		Problems  []string        `json:"problems"`
		Answers   answers         `json:"answers"`
		Runbooks  []jsonSimulated `json:"runbooks"`
		Workers   []policy.Worker `json:"workers"`
		Callers   []policy.Caller `json:"callers"`
		Cells     []jsonCell      `json:"cells"`
	}{
		Version: schemaVersion, Path: m.Path, Policy: m.Policy, At: m.At, Complete: m.Complete() && len(m.Problems) == 0,
		LeftOut: m.LeftOut, FirstLeft: m.FirstLeft, Problems: orEmpty(m.Problems),
		Answers:  answers{counts[whatif.Yes], counts[whatif.Warned], counts[whatif.Conditional], counts[whatif.No]},
		Runbooks: []jsonSimulated{}, Workers: []policy.Worker{}, Callers: []policy.Caller{}, Cells: make([]jsonCell, 0, len(m.Cells)),
	}
	for _, r := range m.Runbooks {
		doc.Runbooks = append(doc.Runbooks, jsonSimulated{r.Path, r.Kind, r.Verdict, r.SHA256, orEmpty(r.Arguments)})
	}
	for _, worker := range m.Workers {
		doc.Workers = append(doc.Workers, plainWorker(worker))
	}
	for _, c := range m.Callers {
		c.Groups, c.Roles = orEmpty(c.Groups), orEmpty(c.Roles)
		doc.Callers = append(doc.Callers, c)
	}
	for i := range m.Cells {
		c := &m.Cells[i]
		doc.Cells = append(doc.Cells, jsonCell{
			Runbook: c.Runbook, Worker: c.Worker, Caller: c.Caller, Answer: c.Word, Rules: orEmpty(c.Rules),
			Needs: orEmpty(c.Needs), With: c.Rule, Codes: orEmpty(c.Codes), Reasons: orEmpty(c.Reasons),
		})
	}
	return writeJSON(w, doc)
}

// plainWorker is w, nothing of it null in JSON.
func plainWorker(w policy.Worker) policy.Worker {
	if w.Labels == nil {
		w.Labels = map[string]string{}
	}
	return w
}
