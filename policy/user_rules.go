package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/runwrit/writ/internal/strictyaml"
)

// The packages that rules of users may stand in: writ.user, and below it.
// Those of writ.user.lib hold helpers and may define no answers; every other
// one must define deny or warn, so that a misspelled name does not go unseen.
var (
	userPackage    = []string{"writ", "user"}
	userLibPackage = []string{"writ", "user", "lib"}
)

// answers are the rules of a user package that the gate reads.
var answers = []string{"deny", "warn"}

// userAnswers names a user package and which of the answers it defines.
type userAnswers struct {
	name    string
	answers []string
}

// checkUser holds the files of the user to their packages and to the form of
// deny and warn: partial sets, because everything else can be undefined without
// anybody noticing.
func checkUser(modules map[string]*ast.Module) ([]userAnswers, []*FileError) {
	var problems []*FileError
	defined := map[string]map[string]bool{}
	files := map[string]string{} // a file of each package
	for _, file := range slices.Sorted(maps.Keys(modules)) {
		m := modules[file]
		segments, ok := packageSegments(m.Package)
		if !ok || !hasPrefix(segments, userPackage) {
			problems = append(problems, &FileError{File: file, Line: m.Package.Location.Row, Msg: fmt.Sprintf("is in %s: want package writ.user, or one below it", m.Package)})
			continue
		}
		name := strings.Join(segments, ".")
		if defined[name] == nil {
			defined[name] = map[string]bool{}
			files[name] = file
		}
		for _, r := range m.Rules {
			answer, bad := checkUserRule(r, hasPrefix(segments, userLibPackage))
			if bad != "" {
				problems = append(problems, &FileError{File: file, Line: r.Location.Row, Column: r.Location.Col, Msg: bad})
			}
			if answer != "" {
				defined[name][answer] = true
			}
		}
	}
	var packages []userAnswers
	for name, found := range defined {
		p := userAnswers{name: name}
		for _, a := range answers {
			if found[a] {
				p.answers = append(p.answers, a)
			}
		}
		isLib := hasPrefix(strings.Split(name, "."), userLibPackage)
		if len(p.answers) == 0 && !isLib {
			problems = append(problems, &FileError{File: files[name], Msg: fmt.Sprintf("package %s defines neither deny nor warn, so it would have no effect; helpers belong in writ.user.lib", name)})
		}
		if len(p.answers) > 0 {
			packages = append(packages, p)
		}
	}
	slices.SortFunc(packages, func(a, b userAnswers) int { return strings.Compare(a.name, b.name) })
	return packages, problems
}

// checkUserRule returns which answer a rule gives, if any, and what is wrong
// with it.
func checkUserRule(r *ast.Rule, lib bool) (answer, problem string) {
	ref := r.Head.Ref()
	name := strings.Trim(ref[0].Value.String(), `"`)
	for _, part := range ref[1:] {
		if s, ok := part.Value.(ast.String); ok && slices.Contains(answers, string(s)) && !slices.Contains(answers, name) {
			return "", fmt.Sprintf("%s is never read: write %s, in a package of its own", ref, s)
		}
	}
	switch {
	case slices.Contains(answers, name):
		if lib {
			return "", name + " in writ.user.lib is never read: move it to another package"
		}
		if len(ref) != 1 || r.Head.RuleKind() != ast.MultiValue || r.Default {
			return "", fmt.Sprintf("%s must be a set of texts or objects: write \"%s contains msg if { ... }\"", name, name)
		}
		return name, ""
	case name == "allow" || name == "decision" || name == "permit":
		return "", name + " has no meaning here: only the rules of grants.yaml allow; a .rego file may add deny and warn"
	case name == "violation" || near(name):
		return "", fmt.Sprintf("%s is never read: did you mean deny or warn?", name)
	}
	return "", ""
}

// near says that name is almost deny or warn.
func near(name string) bool {
	return slices.ContainsFunc(answers, func(a string) bool { return name != a && strictyaml.EditDistance(strings.ToLower(name), a) <= 1 })
}

func packageSegments(p *ast.Package) ([]string, bool) {
	var segments []string
	for _, term := range p.Path[1:] { // after "data"
		s, ok := term.Value.(ast.String)
		if !ok || !segmentForm.holds(string(s)) {
			return nil, false
		}
		segments = append(segments, string(s))
	}
	return segments, true
}

func hasPrefix(segments, prefix []string) bool {
	return len(segments) >= len(prefix) && slices.Equal(segments[:len(prefix)], prefix)
}
