package render

import (
	"io"

	"github.com/runwrit/writ/policy/policytest"
)

func (jsonRenderer) PolicyTests(w io.Writer, r *policytest.Report) error {
	return writeJSON(w, struct {
		Version int `json:"version"`
		Failed  int `json:"failed"`
		*policytest.Report
	}{schemaVersion, r.Failed(), r})
}
