package format_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// authenticodePolicy is the documented answer to each vector that leaves it to
// us; docs/formats/authenticode.md gives the reasons.
var authenticodePolicy = map[string]struct {
	verdict verifier.Verdict
	code    string // a finding that must be there
}{
	"layout/23-base64-width-76.ps1":             {verifier.Malformed, "layout"},
	"layout/24-base64-one-long-line.ps1":        {verifier.Malformed, "layout"},
	"layout/25-base64-width-62.ps1":             {verifier.Malformed, "layout"},
	"layout/33-herestring-contains-block.ps1":   {verifier.Valid, ""},
	"layout/35-utf8bom-to-utf16le-reencode.ps1": {verifier.Valid, ""},
	"layout/38-mof-block-moved-to-ps1.ps1":      {verifier.Valid, ""},
	"layout/39-psd1-renamed-ps1.ps1":            {verifier.Valid, ""},
	"layout/44-line-sep-U2028-etc.ps1":          {verifier.Valid, "line-separator"},
	"cms/07.ps1":                                {verifier.Malformed, "cms-structure"},
	"cms/25.ps1":                                {verifier.Valid, "unsigned-attribute"},
	"cms/26.ps1":                                {verifier.Valid, "nested-signature"},
	"cms/29.ps1":                                {verifier.Unsupported, ""},
	"cms/32.ps1":                                {verifier.Valid, "timestamp"},
}

func TestVectorsOfAuthenticodeGetTheirVerdicts(t *testing.T) {
	t.Parallel()
	dir := testenv.Shared(t, "vectors/authenticode")
	v := vectorVerifier(t, dir)
	for _, row := range readIndex(t, dir) {
		file, gate, reason := row["file"], row["gate"], row["reason"]
		t.Run(gate+" "+file, func(t *testing.T) {
			t.Parallel()
			data := readFile(t, filepath.Join(dir, file))
			report := inspect(t, v, filepath.Base(file), data)
			switch gate {
			case "accept":
				checkValid(t, v, filepath.Base(file), data)
			case "reject":
				if report.Verdict == verifier.Valid || report.Verdict == verifier.NotChecked {
					t.Errorf("verdict %q", report.Verdict)
				}
				if reason != "" && !hasFinding(report, reason) {
					t.Errorf("no finding %q in %+v", reason, report.Findings)
				}
			case "policy":
				want, ok := authenticodePolicy[file]
				if !ok {
					t.Fatal("no documented answer to this vector")
				}
				if report.Verdict != want.verdict || want.code != "" && !hasFinding(report, want.code) {
					t.Errorf("verdict %q with findings %+v, want %q with %q", report.Verdict, report.Findings, want.verdict, want.code)
				}
				if want.verdict == verifier.Valid {
					checkValid(t, v, filepath.Base(file), data)
				}
			default:
				t.Fatalf("unknown answer %q", gate)
			}
			t.Log(report.Verdict, report.Findings)
		})
	}
}

func vectorVerifier(t testing.TB, dir string) *verifier.Verifier {
	t.Helper()
	return newVerifier(t, testenv.VectorTime(), readFile(t, filepath.Join(dir, "ca.pem")), readFile(t, filepath.Join(dir, "caold.pem")))
}

func newVerifier(t testing.TB, now time.Time, cas ...[]byte) *verifier.Verifier {
	t.Helper()
	var files []verifier.TrustFile
	for _, ca := range cas {
		files = append(files, verifier.TrustFile{Store: "test", Room: verifier.RoomX509CA, Name: "ca.pem", Data: ca})
	}
	trust, err := verifier.NewTrust(files...)
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(trust, verifier.Options{
		Formats: []verifier.Format{format.NewAuthenticode()},
		Now:     func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func inspect(t testing.TB, v *verifier.Verifier, name string, data []byte) *verifier.Report {
	t.Helper()
	rb, err := runbook.Parse(name, data)
	if err != nil {
		t.Fatal(err)
	}
	report, err := v.Inspect(t.Context(), rb)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// checkValid also wants the payload to be the whole file.
func checkValid(t testing.TB, v *verifier.Verifier, name string, data []byte) {
	t.Helper()
	rb, err := runbook.Parse(name, data)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := v.Verify(t.Context(), rb)
	if err != nil {
		var ue *verifier.UnverifiedError
		if errors.As(err, &ue) {
			t.Fatalf("%v\n%+v\n%+v", err, ue.Report.Signatures, ue.Report.Findings)
		}
		t.Fatal(err)
	}
	if !bytes.Equal(verified.Payload(), data) {
		t.Error("the payload is not the file")
	}
}

func hasFinding(r *verifier.Report, code string) bool {
	return slices.ContainsFunc(r.Findings, func(f verifier.Finding) bool { return f.Code == code })
}

func statusOf(r *verifier.Report, id verifier.CheckID) verifier.Status {
	for _, s := range r.Signatures {
		for _, c := range s.Checks {
			if c.ID == id {
				return c.Status
			}
		}
	}
	return verifier.StatusNotChecked
}

// readIndex reads INDEX.tsv as rows by column name.
func readIndex(t testing.TB, dir string) []map[string]string {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(readFile(t, filepath.Join(dir, "INDEX.tsv"))))
	r.Comma, r.LazyQuotes = '\t', true
	r.FieldsPerRecord = -1
	records, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(records) < 2 {
		t.Fatal("INDEX.tsv is empty")
	}
	var rows []map[string]string
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, value := range record {
			row[strings.TrimSpace(records[0][i])] = value
		}
		rows = append(rows, row)
	}
	return rows
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
