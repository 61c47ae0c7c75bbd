package policy_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
)

func TestTheLibraryNamesWhatTheUserAnswers(t *testing.T) {
	t.Parallel()
	src := policy.Source{Rego: []policy.File{
		{Name: "b.rego", Data: []byte("package writ.user.b\n\nwarn contains \"x\"\n")},
		{Name: "a.rego", Data: []byte("package writ.user.lib.a\n\nx := 1\n")},
	}}
	files, err := policy.Library(src)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(files, func(f policy.File) bool { return f.Name == "users.rego" })
	if at < 0 || string(files[at].Data) != "package writ.users\n\nresults := {\"writ.user.b\": {\"warn\": data.writ.user.b.warn}}\n" {
		t.Errorf("got %q", files)
	}
	if !slices.IsSortedFunc(files, func(a, b policy.File) int { return slices.Compare([]byte(a.Name), []byte(b.Name)) }) || len(files) < 7 {
		t.Errorf("%d files, or not in order", len(files))
	}
	for _, bad := range []string{"package", "package other\n\ndeny contains 1\n"} {
		src.Rego[0].Data = []byte(bad)
		var syntax *policy.SyntaxError
		if _, err := policy.Library(src); !errors.As(err, &syntax) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

func TestThereIsNoDocumentForAQuestionThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	var none *policy.Engine
	for _, e := range []*policy.Engine{none, {}} {
		if _, err := e.Document(good()); err == nil {
			t.Error("a document without a policy")
		}
	}
	if _, err := engine(t, peopleYAML+restartRule).Document(policy.Input{}); err == nil {
		t.Error("a document about nothing")
	}
	rows := newRows(t, peopleYAML+restartRule)
	e := rowsEngine(t, rows)
	if text, err := e.Document(good()); err != nil || !strings.Contains(string(text), `"grants":{`) {
		t.Errorf("%s, %v", text, err)
	}
	rows.fails = "person"
	if _, err := e.Document(good()); !errors.Is(err, errDisk) {
		t.Errorf("without rows: %v", err)
	}
}
