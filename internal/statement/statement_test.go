package statement_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/statement"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
)

func subject(t statement.Type) statement.Subject {
	now := testenv.VectorTime()
	return statement.Subject{
		Type: t, Runbook: "deploy.sh", SHA256: runbook.DigestOf([]byte("file")), WorkerGroup: "prod",
		Reason: "the change of tonight", NotBefore: statement.At(now), Expires: statement.At(now.Add(3600e9)),
	}
}

func parameters() statement.Parameters {
	const salt = "00112233445566778899aabbccddeeff"
	return statement.Parameters{Salt: salt, Digest: statement.ParametersDigest(salt, map[string]string{"1": "blue"})}
}

func approval() *statement.Approval {
	return &statement.Approval{Subject: subject(statement.TypeApproval), Parameters: parameters(), Requester: "os:alice"}
}

func breakGlass() *statement.BreakGlass {
	return &statement.BreakGlass{Subject: subject(statement.TypeBreakGlass), Requester: "os:alice", Nonce: statement.NewNonce()}
}

func ticket() *statement.Ticket {
	return &statement.Ticket{
		Subject: subject(statement.TypeTicket), Parameters: parameters(), WorkerID: "w1", Nonce: statement.NewNonce(),
		Caller: statement.Caller{Kind: "entra-user", ID: "entra:t:o", Groups: []string{"entra:t:g", "entra:t:h"}, GroupsComplete: true, Roles: []string{}},
		Job:    statement.Job{ID: "4711", Trigger: "schedule", Scheduled: statement.At(testenv.VectorTime())},
	}
}

func documents() map[string]statement.Document {
	odd := approval()
	odd.Reason = `<b>"Überfall" & 日本 \ ` + "\U0001F600"
	scoped := breakGlass()
	scoped.Runbook, scoped.SHA256, scoped.Path = "", runbook.Digest{}, "/srv/runbooks/**"
	return map[string]statement.Document{"approval": approval(), "odd": odd, "break-glass": breakGlass(), "scoped": scoped, "ticket": ticket()}
}

func render(t testing.TB, d statement.Document) []byte {
	t.Helper()
	text, err := statement.Render(d)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAStatementIsWrittenAndReadBack(t *testing.T) {
	t.Parallel()
	for name, d := range documents() {
		text := render(t, d)
		if !statement.Is(text) {
			t.Errorf("%s: is not known again:\n%s", name, text)
		}
		again, err := statement.Parse(text)
		if err != nil {
			t.Errorf("%s: %v in\n%s", name, err, text)
			continue
		}
		if diff := cmp.Diff(d, again); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if got := render(t, again); !bytes.Equal(got, text) {
			t.Errorf("%s: read and written again it is\n%s", name, got)
		}
		for _, b := range text {
			if b >= 0x7f || b < ' ' && b != '\n' {
				t.Errorf("%s: the byte %#x is not printable ASCII", name, b)
			}
		}
	}
}

// What the package comment promises to other implementations.
func TestPythonWritesTheSameText(t *testing.T) {
	t.Parallel()
	python := testenv.Tool(t, "python3")
	for name, d := range documents() {
		text := render(t, d)
		cmd := exec.CommandContext(t.Context(), python, "-I", "-c", "import json, sys; print(json.dumps(json.load(sys.stdin), indent=2))")
		cmd.Stdin = bytes.NewReader(text)
		got, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(text), string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// There is one text for one statement: everything else is refused.
func TestATextInAnotherFormIsRefused(t *testing.T) {
	t.Parallel()
	good, fileDigest := string(render(t, approval())), runbook.DigestOf([]byte("file")).String()
	for name, c := range map[string]struct{ old, new string }{
		"a key twice":                       {`"requester": "os:alice"`, `"requester": "os:eve",` + "\n" + `  "requester": "os:alice"`},
		"a key in other letters":            {`"requester"`, `"Requester"`},
		"an unknown key":                    {`"requester"`, `"note": "x",` + "\n" + `  "requester"`},
		"a key left out":                    {`  "worker_group": "prod",` + "\n", ""},
		"keys in another order":             {`  "worker_group": "prod",` + "\n" + `  "reason": "the change of tonight",`, `  "reason": "the change of tonight",` + "\n" + `  "worker_group": "prod",`},
		"other blanks":                      {`": "prod"`, `":  "prod"`},
		"CRLF":                              {"\n", "\r\n"},
		"no line end":                       {"}\n", "}"},
		"something behind it":               {"}\n", "}\n{}\n"},
		"blanks behind it":                  {"}\n", "}\n\n"},
		"a byte-order mark":                 {"{\n", "\xef\xbb\xbf{\n"},
		"an escape that is not needed":      {"prod", `pr\u006fd`},
		"a character that is not escaped":   {"tonight", "t\u00f6night"},
		"an escape in capitals":             {"tonight", `t\u00F6night`},
		"a hidden character":                {"tonight", `to\u202enight`},
		"a control character":               {"tonight", `to\u001bnight`},
		"half a surrogate":                  {"tonight", `to\ud800night`},
		"null":                              {`"os:alice"`, "null"},
		"a number for a text":               {`"os:alice"`, "7"},
		"another type":                      {"writ.approval/v1", "writ.break-glass/v1"},
		"an unknown type":                   {"writ.approval/v1", "writ.approval/v2"},
		"a digest in capitals":              {fileDigest, strings.ToUpper(fileDigest)},
		"a digest cut short":                {fileDigest, fileDigest[:62]},
		"no digest":                         {fileDigest, ""},
		"a time in another zone":            {"2026-11-22T12:00:00Z", "2026-11-22T14:00:00+02:00"},
		"a time in parts of a second":       {"2026-11-22T12:00:00Z", "2026-11-22T12:00:00.5Z"},
		"a time that does not exist":        {"2026-11-22T12:00:00Z", "2026-11-31T12:00:00Z"},
		"a time before it begins":           {"2026-11-22T13:00:00Z", "2026-11-22T12:00:00Z"},
		"a time that no clock has":          {"2026-11-22T13:00:00Z", "9026-11-22T13:00:00Z"},
		"no time":                           {"2026-11-22T13:00:00Z", ""},
		"a name with a path":                {"deploy.sh", "../deploy.sh"},
		"the name of a signed file":         {"deploy.sh", "deploy.sh.asc"},
		"no worker group":                   {`"prod"`, `""`},
		"an identity without a namespace":   {"os:alice", "alice"},
		"a salt that is too short":          {"00112233445566778899aabbccddeeff", "00"},
		"no parameters":                     {parameters().Digest.String(), ""},
		"a text that is too long":           {"the change of tonight", strings.Repeat("x", statement.MaxReason+1)},
		"a document that is too large":      {"the change of tonight", strings.Repeat("x", statement.MaxText)},
		"a document nested without end":     {`"the change of tonight"`, strings.Repeat("[", 30_000)},
		"an approval that is not an object": {"{\n", "[{\n"},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if name == "CRLF" {
			bad = strings.ReplaceAll(good, c.old, c.new)
		}
		if bad == good {
			t.Errorf("%s: nothing was changed", name)
			continue
		}
		d, err := statement.Parse([]byte(bad))
		var syntax *statement.SyntaxError
		if d != nil || !errors.As(err, &syntax) || syntax.Error() == "" {
			t.Errorf("%s: got %v, %v", name, d, err)
		}
	}
}

func TestAStatementThatIsNotWellMadeIsNotWritten(t *testing.T) {
	t.Parallel()
	tickets := map[string]func(*statement.Ticket){
		"the name of a worker":   func(d *statement.Ticket) { d.WorkerID = "a b" },
		"no kind of a caller":    func(d *statement.Ticket) { d.Caller.Kind = "" },
		"no caller":              func(d *statement.Ticket) { d.Caller.ID = "" },
		"no list of groups":      func(d *statement.Ticket) { d.Caller.Groups = nil },
		"no list of roles":       func(d *statement.Ticket) { d.Caller.Roles = nil },
		"an empty group":         func(d *statement.Ticket) { d.Caller.Groups[0] = "" },
		"a hidden role":          func(d *statement.Ticket) { d.Caller.Roles = []string{"a\u200bb"} },
		"a role that is no text": func(d *statement.Ticket) { d.Caller.Roles = []string{"\xff"} },
		"too many groups":        func(d *statement.Ticket) { d.Caller.Groups = make([]string, 201) },
		"a job without a number": func(d *statement.Ticket) { d.Job.ID = "" },
		"a long trigger":         func(d *statement.Ticket) { d.Job.Trigger = strings.Repeat("x", 257) },
		"an odd time":            func(d *statement.Ticket) { d.Job.Submitted = statement.At(testenv.VectorTime().AddDate(-100, 0, 0)) },
		"no nonce":               func(d *statement.Ticket) { d.Nonce = "" },
		"no worker":              func(d *statement.Ticket) { d.WorkerID, d.WorkerGroup = "", "" },
		"a group that is none":   func(d *statement.Ticket) { d.WorkerGroup = "a b" },
	}
	for name, spoil := range tickets {
		d := ticket()
		spoil(d)
		if text, err := statement.Render(d); err == nil {
			t.Errorf("%s: got\n%s", name, text)
		}
	}
	glasses := map[string]func(*statement.BreakGlass){
		"no reason":             func(d *statement.BreakGlass) { d.Reason = "" },
		"a short reason":        func(d *statement.BreakGlass) { d.Reason = "  urgent   " },
		"no requester":          func(d *statement.BreakGlass) { d.Requester = "" },
		"a path and a digest":   func(d *statement.BreakGlass) { d.Path = "/srv/**" },
		"neither path nor file": func(d *statement.BreakGlass) { d.SHA256 = runbook.Digest{} },
		"no name":               func(d *statement.BreakGlass) { d.Runbook = "" },
		"a long path":           func(d *statement.BreakGlass) { d.Path = "/" + strings.Repeat("x", 1024) },
	}
	for name, spoil := range glasses {
		d := breakGlass()
		spoil(d)
		if text, err := statement.Render(d); err == nil {
			t.Errorf("%s: got\n%s", name, text)
		}
	}
}

func TestParametersHaveADigestThatHidesThem(t *testing.T) {
	t.Parallel()
	const salt = "00112233445566778899aabbccddeeff"
	known := map[runbook.Digest]string{}
	for name, c := range map[string]struct {
		salt string
		p    map[string]string
	}{
		"one":           {salt, map[string]string{"1": "blue"}},
		"another value": {salt, map[string]string{"1": "green"}},
		"another name":  {salt, map[string]string{"2": "blue"}},
		"none":          {salt, nil},
		"other salt":    {salt[2:] + "00", map[string]string{"1": "blue"}},
		"two":           {salt, map[string]string{"1": "blue", "A": "b"}},
		"a trick":       {salt, map[string]string{"1": `blue","A":"b`}},
	} {
		d := statement.ParametersDigest(c.salt, c.p)
		if other, twice := known[d]; twice {
			t.Errorf("%s and %s have one digest", name, other)
		}
		known[d] = name
	}
	// The form that the documentation gives, for other implementations.
	data, err := json.Marshal(map[string]any{"salt": salt, "parameters": map[string]string{"1": "blue", "A": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if statement.ParametersDigest(salt, map[string]string{"A": "b", "1": "blue"}) != runbook.DigestOf(data) {
		t.Error("the digest is not that of the sorted JSON")
	}
	if statement.ParametersDigest(salt, nil) != statement.ParametersDigest(salt, map[string]string{}) {
		t.Error("none and an empty map differ")
	}
}

func TestNoncesDiffer(t *testing.T) {
	t.Parallel()
	if a, b := statement.NewNonce(), statement.NewNonce(); a == b || len(a) != 32 {
		t.Errorf("%q and %q", a, b)
	}
}

func FuzzMalleability(f *testing.F) {
	for _, d := range documents() {
		f.Add(render(f, d))
	}
	f.Add([]byte("{\n  \"type\": \"writ.approval/v1\"\n}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := statement.Parse(text)
		if err != nil {
			return
		}
		again, err := statement.Render(d)
		if err != nil || !bytes.Equal(again, text) {
			t.Errorf("%v: %q is written as %q", err, text, again)
		}
	})
}
