package whatif

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/glob"
	"github.com/runwrit/writ/internal/strictyaml"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// Limits of the files that say whom and where to ask about.
const (
	// MaxFileSize is the size of such a file in bytes.
	MaxFileSize = 4 << 20
	maxMarks    = 1_000_000
	maxSubjects = 10_000 // workers, callers or entries of one file
	maxList     = 1_000
)

// SyntaxError says what is wrong in a file of workers, callers or parameters.
// Problems is never empty.
type SyntaxError struct{ Problems []*strictyaml.FileError }

func (e *SyntaxError) Error() string {
	switch n := len(e.Problems); n {
	case 0:
		return "unusable"
	case 1:
		return e.Problems[0].Error()
	default:
		return fmt.Sprintf("%v (and %d more)", e.Problems[0], n-1)
	}
}

// file reads a file of one list: version: 1, and the list under its key.
type file struct{ strictyaml.Tree }

func readList(name, key string, data []byte, read func(f *file, n *yaml.Node, field string)) error {
	f := &file{strictyaml.Tree{File: name, MaxSize: MaxFileSize, MaxMarks: maxMarks, MaxList: maxList}}
	if root := f.Document(data); root != nil {
		fields := f.Fields(root, "", "version", key)
		if v := f.Need(fields, root, "", "version"); v != nil {
			f.Number(v, "version", 1, 1)
		}
		if v := f.Need(fields, root, "", key); v != nil {
			for i, item := range f.Items(v, key, maxSubjects) {
				read(f, item, fmt.Sprintf("%s[%d]", key, i))
			}
		}
	}
	if len(f.Problems) > 0 {
		return &SyntaxError{f.Problems}
	}
	return nil
}

func anyText(string) string { return "" }

// word reads a text that may be missing; otherwise it has a default.
func (f *file) word(n *yaml.Node, field, otherwise string) string {
	if n == nil {
		return otherwise
	}
	return f.Word(n, field, anyText)
}

func (f *file) words(n *yaml.Node, field string) []string {
	if n == nil {
		return []string{}
	}
	return f.List(n, field, anyText)
}

func (f *file) pairs(n *yaml.Node, field string) map[string]string {
	m := map[string]string{}
	if n == nil {
		return m
	}
	for _, p := range f.Entries(n, field) {
		if s, ok := f.Text(p.Value, strictyaml.Join(field, strictyaml.Clip(p.Key))); ok {
			m[p.Key] = s
		}
	}
	return m
}

// ParseWorkers reads a file of workers: id, group, os, labels, identity. It fails
// with *SyntaxError.
func ParseWorkers(name string, data []byte) ([]policy.Worker, error) {
	var list []policy.Worker
	seen := map[string]bool{}
	err := readList(name, "workers", data, func(f *file, n *yaml.Node, field string) {
		fields := f.Fields(n, field, "id", "group", "os", "labels", "identity")
		w := newWorker(f.word(fields["id"], field+".id", ""), f.word(fields["group"], field+".group", ""), f.word(fields["identity"], field+".identity", ""))
		w.OS, w.Labels = f.word(fields["os"], field+".os", w.OS), f.pairs(fields["labels"], field+".labels")
		if len(fields) == 0 && n.Kind == yaml.MappingNode {
			f.Problem(n, field, "says nothing: give id, group or labels")
		}
		if key := workerKey(w); seen[key] {
			f.Problem(n, field, "is the same worker as one before")
		} else {
			seen[key] = true
		}
		list = append(list, w)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// newWorker is a worker whose owner wrote down what it is.
func newWorker(id, group, identity string) policy.Worker {
	w := policy.Worker{ID: id, Group: group, OS: "linux", Labels: map[string]string{}, Identity: identity, Assurance: "config"}
	if identity != "" {
		w.Assurance = "managed-identity"
	}
	return w
}

func workerKey(w policy.Worker) string {
	return fmt.Sprintf("%q %q %q %q %q", w.ID, w.Group, w.OS, w.Labels, w.Identity)
}

// ParseCallers reads a file of callers: id, kind, groups, groups_incomplete, roles,
// assurance. It fails with *SyntaxError.
func ParseCallers(name string, data []byte) ([]policy.Caller, error) {
	var list []policy.Caller
	seen := map[string]bool{}
	err := readList(name, "callers", data, func(f *file, n *yaml.Node, field string) {
		fields := f.Fields(n, field, "id", "kind", "groups", "groups_incomplete", "roles", "assurance")
		c := newCaller("")
		if v := f.Need(fields, n, field, "id"); v != nil {
			c = newCaller(f.word(v, field+".id", ""))
		}
		c.Kind, c.Assurance = f.word(fields["kind"], field+".kind", c.Kind), f.word(fields["assurance"], field+".assurance", c.Assurance)
		c.Groups, c.Roles = f.words(fields["groups"], field+".groups"), f.words(fields["roles"], field+".roles")
		if v := fields["groups_incomplete"]; v != nil {
			c.GroupsComplete = !f.Truth(v, field+".groups_incomplete")
		}
		if key := fmt.Sprintf("%q %q", c.ID, c.Groups); seen[key] {
			f.Problem(n, field, "is the same caller as one before")
		} else {
			seen[key] = true
		}
		list = append(list, c)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// newCaller is somebody who is known as the scheme of the identity says: by the
// operating system, or by a token.
func newCaller(id string) policy.Caller {
	c := policy.Caller{Kind: "os-user", ID: id, Groups: []string{}, GroupsComplete: true, Roles: []string{}, Assurance: "real-uid"}
	if scheme, _, ok := strings.Cut(id, ":"); ok && scheme != "os" {
		c.Kind, c.Assurance = scheme, "token"
	}
	return c
}

// Parameters say with which arguments a runbook is asked about. The zero value
// says: with none.
type Parameters struct{ entries []parameterEntry }

type parameterEntry struct {
	paths     []*regexp.Regexp
	arguments []policy.Argument
}

// ParseParameters reads a file of parameters: of the entries whose paths match a
// runbook the first one gives it its named arguments and its positions. It fails
// with *SyntaxError.
func ParseParameters(name string, data []byte) (Parameters, error) {
	var p Parameters
	err := readList(name, "parameters", data, func(f *file, n *yaml.Node, field string) {
		fields := f.Fields(n, field, "paths", "arguments", "positions")
		var e parameterEntry
		if v := f.Need(fields, n, field, "paths"); v != nil {
			for _, g := range f.List(v, field+".paths", glob.Problem) {
				e.paths = append(e.paths, regexp.MustCompile(glob.Pattern(g)))
			}
		}
		if fields["arguments"] == nil && fields["positions"] == nil && n.Kind == yaml.MappingNode {
			f.Problem(n, field, "gives nothing: want arguments or positions")
		}
		if v := fields["arguments"]; v != nil {
			for _, pair := range f.Entries(v, field+".arguments") {
				if s, ok := f.Text(pair.Value, strictyaml.Join(field+".arguments", strictyaml.Clip(pair.Key))); ok {
					e.arguments = append(e.arguments, policy.Argument{Name: pair.Key, Value: s})
				}
			}
		}
		if v := fields["positions"]; v != nil {
			for i, item := range f.Items(v, field+".positions", policy.MaxArguments) {
				if s, ok := f.Text(item, fmt.Sprintf("%s.positions[%d]", field, i)); ok {
					e.arguments = append(e.arguments, policy.Argument{Value: s})
				}
			}
		}
		p.entries = append(p.entries, e)
	})
	if err != nil {
		return Parameters{}, err
	}
	return p, nil
}

// of returns the arguments for the runbook at a path.
func (p *Parameters) of(path string) []policy.Argument {
	path = runbook.PayloadName(path)
	for _, e := range p.entries {
		if slices.ContainsFunc(e.paths, func(r *regexp.Regexp) bool { return r.MatchString(path) }) {
			return slices.Clone(e.arguments)
		}
	}
	return nil
}

// Subjects returns the workers and the callers that a grants.yaml, which must be
// one that an engine accepts, speaks of: of each rule the workers that fit it, and
// one without a group; the account of each person, somebody of each group of the
// operating system or of a token, and a stranger.
func Subjects(grants []byte) ([]policy.Worker, []policy.Caller) {
	o := newOutline(grants)
	return o.workers, o.callers
}
