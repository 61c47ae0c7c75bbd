//go:build linux

package contain

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// good is a specification that a stage takes.
func good() Spec {
	return Spec{
		Form: Namespaces, Program: "/bin/bash", Arguments: []string{"bash"}, Dir: "/tmp",
		Files: []File{{Path: "a/b.sh", Size: 3}}, Read: []string{"/srv"},
	}
}

func TestASpecificationThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	if g := good(); g.check() != nil {
		t.Fatal(g.check())
	}
	for name, change := range map[string]func(*Spec){
		"the zero value":                    func(s *Spec) { *s = Spec{} },
		"no form":                           func(s *Spec) { s.Form = "" },
		"an unknown form":                   func(s *Spec) { s.Form = "container" },
		"no program":                        func(s *Spec) { s.Program = "" },
		"a program to be searched for":      func(s *Spec) { s.Program = "bash" },
		"no arguments":                      func(s *Spec) { s.Arguments = nil },
		"an argument with a NUL character":  func(s *Spec) { s.Arguments = []string{"a\x00b"} },
		"a variable with a NUL character":   func(s *Spec) { s.Environment = []string{"A=\x00"} },
		"a relative working directory":      func(s *Spec) { s.Dir = "tmp" },
		"too many descriptors":              func(s *Spec) { s.Extra = MaxExtra + 1 },
		"a negative number of descriptors":  func(s *Spec) { s.Extra = -1 },
		"a file outside of its folder":      func(s *Spec) { s.Files[0].Path = "../b.sh" },
		"an absolute file":                  func(s *Spec) { s.Files[0].Path = "/etc/passwd" },
		"a file in two ways":                func(s *Spec) { s.Files[0].Path = "a/./b.sh" },
		"a file twice":                      func(s *Spec) { s.Files = append(s.Files, s.Files[0]) },
		"a file of negative size":           func(s *Spec) { s.Files[0].Size = -1 },
		"files that are too large together": func(s *Spec) { s.Files = append(s.Files, File{Path: "c", Size: MaxContent}) },
		"everything to be read":             func(s *Spec) { s.Read = []string{"/"} },
		"a path with dots":                  func(s *Spec) { s.Write = []string{"/srv/../etc"} },
		"files where nothing shows them":    func(s *Spec) { s.Form = Subreaper },
		"everything to be removed":          func(s *Spec) { s.Scratch = "/" },
	} {
		s := good()
		change(&s)
		var bad *SpecError
		if err := s.check(); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAMessageIsCutToWhatFits(t *testing.T) {
	t.Parallel()
	data, err := message{Is: sayUnavailable, Step: "step", Reason: strings.Repeat("\u202e", 100_000)}.encode()
	if err != nil {
		t.Fatal(err)
	}
	if m, err := decodeMessage(data); err != nil || m.Is != sayUnavailable || m.Step != "step" {
		t.Errorf("%+v, %v", m, err)
	}
	for _, doc := range []string{"", "{}{}", `{"is":"ready","forged":1}`, `{"is":"` + strings.Repeat("x", maxMessage) + `"}`} {
		if _, err := decodeMessage([]byte(doc)); err == nil {
			t.Errorf("%.40q was taken", doc)
		}
	}
}

// What a stage takes of a specification, it takes again as it writes it.
func FuzzDecodeSpec(f *testing.F) {
	s := good()
	doc, err := json.Marshal(s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(doc)
	f.Add([]byte(`{"form":"subreaper","program":"/bin/true","arguments":["true"],"dir":"/"}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		s, err := decodeSpec(doc)
		if err != nil {
			return
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeSpec(again); err != nil {
			t.Errorf("%s: %v", again, err)
		}
	})
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add([]byte(`{"is":"ended","code":7}`))
	f.Add([]byte(`{"is":"ready","by":["namespaces","landlock 7"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeMessage(data)
		if err != nil {
			return
		}
		if _, err := m.encode(); err != nil {
			t.Errorf("%+v: %v", m, err)
		}
	})
}

func TestAHostWithoutNamespacesSaysWhy(t *testing.T) {
	t.Parallel()
	for cause, want := range map[error]string{
		unix.ENOSPC: "user.max_user_namespaces", unix.EUSERS: "user.max_user_namespaces", unix.EPERM: "switched off", unix.ENOENT: "",
	} {
		got := noNamespaces(&os.PathError{Op: "fork/exec", Path: Self, Err: cause})
		if !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%v: %q", cause, got)
		}
	}
}
