package policy

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/glob"
	"github.com/runwrit/writ/internal/strictyaml"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

var (
	ruleKeys       = []string{"name", "match", "workers", "signed_by", "requested_by", "hours", "approved_by", "parameters", "run"}
	parameterTypes = []string{"string", "int", "number", "bool"}
)

func knownKinds() []string {
	var words []string
	for _, k := range runbook.Kinds() {
		if k.Runnable() { // no rule is about a list of files, or about a statement
			words = append(words, k.String())
		}
	}
	return words
}

func (g *grants) readRules(t *tree, n *yaml.Node) {
	nodes := t.Items(n, "rules", maxRules)
	seen := make(map[string]int, len(nodes))
	patterns := map[string]string{} // patterns looked at already, and what was wrong
	g.rules = make([]rule, 0, len(nodes))
	for i, item := range nodes {
		field := fmt.Sprintf("rules[%d]", i)
		r := rule{Line: item.Line}
		f := t.Fields(item, field, ruleKeys...)
		if v := t.Need(f, item, field, "name"); v != nil {
			if name, ok := t.Text(v, field+".name"); ok {
				if bad := nameProblem(name); bad != "" {
					t.Problem(v, field+".name", "%s", bad)
				} else if line, twice := seen[name]; twice {
					t.Problem(v, field+".name", "%q is the name of the rule in line %d already", name, line)
				}
				seen[name] = item.Line
				r.Name = name
			}
		}
		if v := t.Need(f, item, field, "match"); v != nil {
			r.Match = t.match(v, field+".match")
		}
		if v := t.Need(f, item, field, "workers"); v != nil {
			r.Workers = t.workers(v, field+".workers")
		}
		if v := t.Need(f, item, field, "signed_by"); v != nil {
			r.SignedBy = g.readSignedBy(t, v, field+".signed_by")
		}
		if v := t.Need(f, item, field, "requested_by"); v != nil {
			r.RequestedBy = g.readRequestedBy(t, v, field+".requested_by")
		}
		if v := f["hours"]; v != nil {
			r.Hours = g.readHours(t, v, field+".hours")
		}
		if v := f["approved_by"]; v != nil {
			r.ApprovedBy = g.readApprovedBy(t, v, field+".approved_by")
		}
		if v := f["parameters"]; v != nil {
			r.Parameters = t.parameters(v, field+".parameters", patterns)
		}
		r.Obligations = Obligations{Timeout: DefaultTimeout, Env: []string{}}
		if v := f["run"]; v != nil {
			t.run(v, field+".run", &r.Obligations)
		}
		g.rules = append(g.rules, r)
		if len(t.Problems) >= maxProblems {
			return
		}
	}
}

func (t *tree) match(n *yaml.Node, field string) match {
	var m match
	f := t.Fields(n, field, "paths", "kinds", "sha256")
	if len(f) == 0 && n.Kind == yaml.MappingNode {
		t.Problem(n, field, `names nothing: give paths, kinds or sha256; paths: ["**"] means every runbook`)
	}
	if v := f["paths"]; v != nil {
		m.Paths = t.List(v, field+".paths", func(s string) string {
			if bad := globProblem(s); bad != "" {
				return bad
			}
			return glob.StartProblem(s)
		})
	}
	if v := f["kinds"]; v != nil {
		kinds := knownKinds()
		m.Kinds = t.List(v, field+".kinds", func(s string) string { return strictyaml.OneOf("kind", s, kinds) })
	}
	if v := f["sha256"]; v != nil {
		m.Digests = t.List(v, field+".sha256", func(s string) string {
			if _, err := runbook.ParseDigest(s); err != nil {
				return "want 64 lower-case hexadecimal digits"
			}
			return ""
		})
	}
	return m
}

func (t *tree) workers(n *yaml.Node, field string) workers {
	var w workers
	f := t.Fields(n, field, "any", "groups", "ids", "labels", "identities")
	if len(f) == 0 && n.Kind == yaml.MappingNode {
		t.Problem(n, field, "names nothing: give groups, ids, labels or identities, or any: true")
	}
	if v := f["any"]; v != nil {
		w.Any = t.Truth(v, field+".any")
		if len(f) > 1 {
			t.Problem(v, field+".any", "stands beside groups, ids, labels or identities: choose one")
		}
	}
	if v := f["groups"]; v != nil {
		w.Groups = t.List(v, field+".groups", nameProblem)
	}
	if v := f["ids"]; v != nil {
		w.IDs = t.List(v, field+".ids", nameProblem)
	}
	if v := f["labels"]; v != nil {
		w.Labels = t.labels(v, field+".labels")
	}
	if v := f["identities"]; v != nil {
		w.Identities = t.List(v, field+".identities", workerIdentityProblem)
	}
	return w
}

func (t *tree) labels(n *yaml.Node, field string) []label {
	pairs := t.Entries(n, field)
	if len(pairs) == 0 && n.Kind == yaml.MappingNode || len(pairs) > maxLabels {
		t.Problem(n, field, "want 1 to %d labels", maxLabels)
		return nil
	}
	labels := make([]label, 0, len(pairs))
	for _, p := range pairs {
		at := strictyaml.Join(field, strictyaml.Clip(p.Key))
		if bad := nameProblem(p.Key); bad != "" {
			t.Problem(p.At, at, "%s", bad)
			continue
		}
		l := label{Name: p.Key}
		if p.Value.Kind == yaml.SequenceNode {
			l.Values = t.List(p.Value, at, valueProblem)
		} else if s, ok := t.Text(p.Value, at); ok {
			if bad := valueProblem(s); bad != "" {
				t.Problem(p.Value, at, "%s", bad)
			}
			l.Values = []string{s}
		}
		labels = append(labels, l)
	}
	return labels
}

func (g *grants) readSignedBy(t *tree, n *yaml.Node, field string) signedBy {
	s := signedBy{AtLeast: 1}
	f := t.Fields(n, field, "people", "groups", "roles", "at_least", "min_version", "namespace", "formats")
	s.People, s.Groups = g.readNames(t, f, field)
	switch {
	case f["roles"] != nil:
		g.readSignerRoles(t, f, field, &s)
	case f["people"] == nil && f["groups"] == nil && n.Kind == yaml.MappingNode:
		t.Problem(n, field, "names nobody: give people, groups or roles")
	}
	if v := f["at_least"]; v != nil {
		s.AtLeast = t.Number(v, field+".at_least", s.AtLeast, maxSignatures)
		if most := g.countPeople(s.People, s.Groups); s.AtLeast > most && len(t.Problems) == 0 {
			t.Problem(v, field+".at_least", "%d people must sign, but only %d are named: it could never be met", s.AtLeast, most)
		}
	}
	s.MinVersion = t.Word(f["min_version"], field+".min_version", func(s string) string {
		if _, err := verifier.ParseVersion(s); err != nil {
			return err.Error()
		}
		return ""
	})
	s.Namespace = t.Word(f["namespace"], field+".namespace", nameProblem)
	if v := f["formats"]; v != nil {
		g.readFormats(t, v, field+".formats", &s)
	}
	return s
}

func (g *grants) readRequestedBy(t *tree, n *yaml.Node, field string) requestedBy {
	var r requestedBy
	f := t.Fields(n, field, "anyone", "people", "groups", "assurance")
	if f["anyone"] == nil && f["people"] == nil && f["groups"] == nil && n.Kind == yaml.MappingNode {
		t.Problem(n, field, "names nobody: give people or groups, or anyone: true")
	}
	if v := f["anyone"]; v != nil {
		r.Anyone = t.Truth(v, field+".anyone")
		if f["people"] != nil || f["groups"] != nil {
			t.Problem(v, field+".anyone", "stands beside people or groups: choose one")
		}
	}
	if v := f["assurance"]; v != nil {
		r.Assurance = t.List(v, field+".assurance", func(s string) string { return strictyaml.OneOf("assurance", s, assurances) })
	}
	r.People, r.Groups = g.readNames(t, f, field)
	return r
}

// readNames reads the lists of people and groups among the fields f, which both
// may be missing.
func (g *grants) readNames(t *tree, f map[string]*yaml.Node, field string) (people, groups []string) {
	if v := f["people"]; v != nil {
		people = t.List(v, field+".people", g.knownPerson())
	}
	if v := f["groups"]; v != nil {
		groups = t.List(v, field+".groups", g.knownGroup())
	}
	return people, groups
}

func (t *tree) parameters(n *yaml.Node, field string, patterns map[string]string) []parameter {
	pairs := t.Entries(n, field)
	if len(pairs) == 0 && n.Kind == yaml.MappingNode || len(pairs) > MaxArguments {
		t.Problem(n, field, "want 1 to %d parameters; without the key no parameter is allowed", MaxArguments)
		return nil
	}
	list := make([]parameter, 0, len(pairs))
	for _, p := range pairs {
		at := strictyaml.Join(field, strictyaml.Clip(p.Key))
		if p.Key != "*" && !parameterForm.holds(p.Key) && !positionForm.holds(p.Key) {
			t.Problem(p.At, at, `want the name of a parameter, a quoted position ("1"), or "*" for all other positions`)
			continue
		}
		list = append(list, t.parameter(p, at, patterns))
	}
	return list
}

func (t *tree) parameter(p strictyaml.Pair, at string, patterns map[string]string) parameter {
	q := parameter{Name: p.Key, Type: "string"}
	f := t.Fields(p.Value, at, "type", "pattern", "enum", "range", "required", "secret")
	if f["type"] == nil && f["pattern"] == nil && f["enum"] == nil && f["range"] == nil && p.Value.Kind == yaml.MappingNode {
		t.Problem(p.Value, at, "says nothing about the value: give type, pattern or enum; type: string means any value")
	}
	if v := f["type"]; v != nil {
		if s, ok := t.Text(v, at+".type"); ok {
			if bad := strictyaml.OneOf("type", s, parameterTypes); bad != "" {
				t.Problem(v, at+".type", "%q: %s", strictyaml.Clip(s), bad)
			}
			q.Type = s
		}
	}
	if v := f["pattern"]; v != nil {
		if s, ok := t.Text(v, at+".pattern"); ok {
			bad, known := patterns[s]
			if !known {
				bad = patternProblem(s)
				patterns[s] = bad
			}
			if bad != "" {
				t.Problem(v, at+".pattern", "%s", bad)
			}
			q.Pattern = s
		}
	}
	if v := f["enum"]; v != nil {
		q.Enum = t.List(v, at+".enum", valueProblem)
	}
	if v := f["range"]; v != nil {
		t.readRange(v, at+".range", &q)
	}
	if v := f["secret"]; v != nil {
		q.Secret = t.Truth(v, at+".secret")
	}
	if v := f["required"]; v != nil {
		q.Required = t.Truth(v, at+".required")
		if p.Key == "*" {
			t.Problem(v, at+".required", `means nothing for "*": name the position`)
		}
	}
	return q
}

func valueProblem(s string) string { return textProblem(s, maxListed) }
