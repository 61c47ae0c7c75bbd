package render_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/doctor"
	"github.com/runwrit/writ/internal/render"
)

// The document is a contract: whoever reads it finds every key in every finding,
// no null, and nothing else.
func TestTheJSONOfDoctorHasItsForm(t *testing.T) {
	t.Parallel()
	r, err := render.New("json")
	if err != nil {
		t.Fatal(err)
	}
	report := &doctor.Report{
		Root: "/mnt/image", At: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		Findings: []doctor.Finding{
			{Code: "enforcement-off", Severity: doctor.Critical, Where: "/home/nxautomation/state/worker.conf", Line: 10, Detail: "off", Why: "why", Mend: []string{"sed -i 's/a/b/' -- '/x'"}},
			{Code: "no-config", Severity: doctor.Info, Where: "/etc/writ/worker.yaml", Why: "why", Note: "name it"},
		},
		Unread: []doctor.Unread{{Where: "/etc/sudoers", Detail: "permission denied"}},
	}
	var b bytes.Buffer
	if err := r.Doctor(&b, report); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/doctor.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
	b.Reset()
	if err := r.Doctor(&b, &doctor.Report{}); err != nil {
		t.Fatal(err)
	}
	var empty map[string]any
	if err := json.Unmarshal(b.Bytes(), &empty); err != nil {
		t.Fatal(err)
	}
	for key, value := range empty {
		if value == nil {
			t.Errorf("%s is null", key)
		}
	}
	for _, key := range []string{"findings", "unread"} {
		if list, ok := empty[key].([]any); !ok || len(list) != 0 {
			t.Errorf("%s of nothing is %v", key, reflect.ValueOf(empty[key]))
		}
	}
}
