package render

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/whatif"
)

var (
	//go:embed page/matrix.html
	matrixPage string
	//go:embed page/matrix.css
	matrixStyle string
	//go:embed page/matrix.js
	matrixScript string
)

// matrixRow is one cell in the words of the page. Everything in it has gone
// through clip, and the template escapes it for its place once more.
type matrixRow struct {
	Runbook        string
	Worker, Caller int
	Answer         whatif.Word
	Codes          string
	Why            string
	Reasons        []policy.Reason
	More           int
	MoreCodes      string
}

// MatrixHTML writes a matrix as one page that needs nothing else: no network, no
// other file, and no script to be read. Its own script filters the rows; the
// content security policy of the page allows that script and that style by their
// digests, and nothing else.
func MatrixHTML(w io.Writer, m Matrix) error {
	page, err := template.New("matrix").Parse(matrixPage)
	if err != nil {
		return err
	}
	counts := m.Counts()
	doc := struct {
		CSP                                 string
		Style                               template.CSS
		Script                              template.JS
		At, Policy, FirstLeft               string
		Runbooks, LeftOut                   int
		Total, Yes, Warned, Conditional, No int
		Workers, Callers                    []string
		Words                               []whatif.Word
		Codes                               []string
		Problems                            []string
		Rows                                func(yield func(matrixRow) bool)
	}{
		CSP: fmt.Sprintf("default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'",
			digest64(matrixScript), digest64(matrixStyle)),
		Style: template.CSS(matrixStyle), Script: template.JS(matrixScript), //nolint:gosec // they are files of this package
		At: moment(m.At), Policy: orNone(m.Policy.SHA256.String()), FirstLeft: clip(m.FirstLeft), Runbooks: len(m.Runbooks), LeftOut: m.LeftOut,
		Total: len(m.Cells), Yes: counts[whatif.Yes], Warned: counts[whatif.Warned], Conditional: counts[whatif.Conditional], No: counts[whatif.No],
		Words: whatif.Words(), Rows: m.rows,
	}
	for _, worker := range m.Workers {
		doc.Workers = append(doc.Workers, workerLabel(worker))
	}
	for _, caller := range m.Callers {
		doc.Callers = append(doc.Callers, callerLabel(caller))
	}
	for i := range m.Cells {
		doc.Codes = append(doc.Codes, clipped(m.Cells[i].Codes)...)
		if len(doc.Codes) > 10_000 {
			slices.Sort(doc.Codes)
			doc.Codes = slices.Compact(doc.Codes)
		}
	}
	slices.Sort(doc.Codes)
	doc.Codes = slices.Compact(doc.Codes)
	for _, p := range m.Problems {
		doc.Problems = append(doc.Problems, clip(p))
	}
	out := bufio.NewWriter(w)
	if err := page.Execute(out, doc); err != nil {
		return err
	}
	return out.Flush()
}

func digest64(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func clipped(words []string) []string {
	list := make([]string, 0, len(words))
	for _, w := range words {
		list = append(list, clip(w))
	}
	return list
}

// rows makes the rows one by one: all of them at once would take as much memory
// as the matrix.
func (m Matrix) rows(yield func(matrixRow) bool) {
	for i := range m.Cells {
		c := &m.Cells[i]
		row := matrixRow{
			Runbook: runbookLabel(&m.Runbooks[c.Runbook]), Worker: c.Worker, Caller: c.Caller, Answer: c.Word,
			Codes: strings.Join(clipped(c.Codes), " "), Why: why(c),
		}
		var more []string
		for _, code := range c.Codes {
			if !slices.ContainsFunc(c.Reasons, func(r policy.Reason) bool { return r.Code == code }) {
				more = append(more, clip(code))
			}
		}
		row.More, row.MoreCodes = len(more), strings.Join(more, ", ")
		for _, r := range c.Reasons {
			row.Reasons = append(row.Reasons, policy.Reason{Code: clip(r.Code), Msg: clip(r.Msg), Hint: clip(r.Hint), Rule: clip(r.Rule)})
		}
		if !yield(row) {
			return
		}
	}
}
