package render_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/ledger"
)

func record(kind ledger.Type, body string) ledger.Record {
	return ledger.Record{
		Seq: 7, Time: time.Date(2026, 11, 22, 12, 0, 0, 5, time.UTC), Type: kind, Body: json.RawMessage(body), Hash: ledger.Hash{1, 2, 3},
	}
}

func export(t testing.TB, format string, records ...ledger.Record) string {
	t.Helper()
	var out bytes.Buffer
	w, err := render.Export(format, &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

const denied = `{"version":1,"runbook":{"name":"a=b|c\\d.sh","file_sha256":"00ff"},"verdict":"valid","allow":false,"deny":[{"code":"frozen","msg":"x"},{"code":"late","msg":"y"}],"rules":["r1"],"sandbox":["strict","standard"],"user":"svc","input":{"caller":{"id":"DOM\\alice"},"worker":{"id":"web-01"}}}`

func TestAnExportSaysWhatTheRecordsSay(t *testing.T) {
	t.Parallel()
	end := record(ledger.TypeEnd, `{"version":1,"decision":5,"start":6,"started":true,"status":-1,"signal":9,"duration_ms":12,"lost":true,"error":"gone"}`)
	for format, want := range map[string][]string{
		"csv": {
			"seq,time,type,outcome,runbook,file_sha256,verdict,reasons,rules,caller,worker,decision,start,user,sandbox,interpreter,audience,status,signal,duration_ms,dry_run,error,hash\r\n",
			"\r\n7,2026-11-22T12:00:00.000000005Z,decision,denied,a=b|c\\d.sh,00ff,valid,frozen late,r1,DOM\\alice,web-01,,,svc,strict standard,,,,,,false,,0102030",
			"\r\n7,2026-11-22T12:00:00.000000005Z,end,lost,,,,,,,,5,6,,,,,-1,9,12,,gone,0102030",
		},
		"cef": {
			`CEF:0|writ|writ|1|decision|decision denied|6|rt=1795348800000 externalId=7 act=denied fname=a\=b|c\\d.sh fileHash=00ff suser=DOM\\alice duser=svc dvchost=web-01 reason=frozen late cs1Label=rules cs1=r1 cs2Label=verdict cs2=valid cs3Label=recordHash cs3=0102030`,
			` cs4Label=sandbox cs4=strict standard msg=denied: frozen, late; file valid; by DOM\\alice on web-01; a\=b|c\\d.sh` + "\n",
			"\nCEF:0|writ|writ|1|end|end lost|7|rt=1795348800000 externalId=7 act=lost ",
			" cn1Label=decision cn1=5 cn2Label=status cn2=-1 cn3Label=durationMs cn3=12 msg=of decision 5: lost: gone\n",
		},
	} {
		got := export(t, format, record(ledger.TypeDecision, denied), end)
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %q\nis not in\n%s", format, part, got)
			}
		}
	}
	if got := export(t, "json", end); got != string(end.Line()) {
		t.Errorf("json: %s", got)
	}
	if got := export(t, "csv"); strings.Count(got, "\r\n") != 1 {
		t.Errorf("without records: %q", got)
	}
	var unknown *render.FormatError
	if _, err := render.Export("xml", nil); !errors.As(err, &unknown) {
		t.Errorf("got %v, want *FormatError", err)
	}
}

// named is a decision about a runbook of that name.
func named(t testing.TB, name string) ledger.Record {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"runbook": map[string]any{"name": name}, "input": map[string]any{"caller": map[string]any{"id": name}}})
	if err != nil {
		t.Fatal(err)
	}
	return record(ledger.TypeDecision, string(raw))
}

// row is the one record of an export as a spreadsheet reads it.
func row(t testing.TB, out string) []string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v:\n%s", len(rows), err, out)
	}
	return rows[1]
}

func TestAttackAFormulaInASpreadsheet(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		`=cmd|' /C calc'!A0`:       `'=cmd|' /C calc'!A0`,
		`+1+1`:                     `'+1+1`,
		`-2+3`:                     `'-2+3`,
		`@SUM(A1)`:                 `'@SUM(A1)`,
		"\t=1":                     `\t=1`,
		"\r=1":                     `\r=1`,
		" =1":                      ` '=1`,
		"\uff1d1":                  "'\uff1d1",
		`a;=HYPERLINK("http://x")`: `a;'=HYPERLINK("http://x")`,
		`a,=1`:                     `a,'=1`,
		`a"=1`:                     `a"'=1`,
		`"=1"`:                     `"'=1"`,
		`a; =1`:                    `a; '=1`,
		"a\n=1":                    `a\n=1`,
		`a=1`:                      `a=1`,
		`-1`:                       `-1`,
		`-1x`:                      `'-1x`,
	} {
		if got := row(t, export(t, "csv", named(t, name)))[4]; got != want {
			t.Errorf("%q is the cell %q, want %q", name, got, want)
		}
	}
}

// cefParse reads a line as a collector does.
func cefParse(t testing.TB, line string) (header []string, values map[string]string) {
	t.Helper()
	line, found := strings.CutSuffix(line, "\n")
	if !found || strings.ContainsAny(line, "\n\r") {
		t.Fatalf("not one line: %q", line)
	}
	for len(header) < 7 {
		at := unescaped(line, '|')
		if at < 0 {
			t.Fatalf("no whole header in %q", line)
		}
		header, line = append(header, line[:at]), line[at+1:]
	}
	values = map[string]string{}
	for line != "" {
		// A value ends before the blank that stands before the next key.
		key, rest, found := strings.Cut(line, "=")
		if !found {
			t.Fatalf("no = in %q", line)
		}
		value, next := rest, ""
		if at := unescaped(rest, '='); at >= 0 {
			end := strings.LastIndexByte(rest[:at], ' ')
			if end < 0 {
				t.Fatalf("no blank before the key that ends in front of %q", rest[at:])
			}
			value, next = rest[:end], rest[end+1:]
		}
		if _, twice := values[key]; twice {
			t.Fatalf("the key %q is there twice in %q", key, line)
		}
		values[key] = strings.NewReplacer(`\\`, `\`, `\=`, `=`, `\n`, "\n", `\r`, "\r").Replace(value)
		line = next
	}
	return header, values
}

// unescaped is where the first separator stands without a backslash before it;
// -1 if none does.
func unescaped(s string, separator byte) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case separator:
			return i
		}
	}
	return -1
}

func TestAttackAFieldOfTheirOwnInALineOfCEF(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"x act=allowed", "x\nCEF:0|a|b|1|2|3|10|", `x\`, `x\=`, `\`, "a|b", "x suser=root", "=", " ", "x =", `x\ act=allowed`, "\u202e=\x1b",
	} {
		header, values := cefParse(t, export(t, "cef", named(t, name)))
		if header[5] != "decision denied" || values["act"] != "denied" || values["externalId"] != "7" || len(values) > 16 {
			t.Errorf("%q: %v %v", name, header, values)
		}
		if want := strings.TrimRight(render.Escape(name), " "); values["fname"] != want || values["suser"] != want {
			t.Errorf("%q became %q and %q", name, values["fname"], values["suser"])
		}
	}
}

func FuzzExport(f *testing.F) {
	for _, s := range []string{"=1", "==", "a;=1", `"`, "a,b", "\r\n", "\x00", "x=y", `\`, "|", "\u202e", "-1", "\xff", " = "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if len(name) > 300 {
			return
		}
		r := named(t, name)
		cells := row(t, export(t, "csv", r))
		if len(cells) != 23 || cells[3] != "denied" {
			t.Fatalf("%q: %q", name, cells)
		}
		got := strings.TrimLeft(cells[4], " ")
		if got != "" && strings.ContainsRune("=+@\t\r\n", rune(got[0])) {
			t.Fatalf("%q is the cell %q", name, got)
		}
		_, values := cefParse(t, export(t, "cef", r))
		if values["act"] != "denied" || values["externalId"] != "7" || values["msg"] == "" {
			t.Fatalf("%q: %v", name, values)
		}
		for _, c := range export(t, "csv", r) + export(t, "cef", r) {
			if c < 0x20 && c != '\r' && c != '\n' {
				t.Fatalf("%q: the control character %q", name, c)
			}
		}
	})
}
