package policy

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/account"
	"github.com/runwrit/writ/internal/audience"
	"github.com/runwrit/writ/internal/strictyaml"
)

func (t *tree) run(n *yaml.Node, field string, o *Obligations) {
	f := t.Fields(n, field, "timeout", "env", "user", "sandbox", "tokens")
	if len(f) == 0 && n.Kind == yaml.MappingNode {
		t.Problem(n, field, "says nothing: give timeout, env, user, sandbox or tokens")
	}
	if v := f["timeout"]; v != nil {
		if s, ok := t.Text(v, field+".timeout"); ok {
			d, err := time.ParseDuration(s)
			if err != nil || d < MinTimeout || d > MaxTimeout || d%time.Second != 0 {
				t.Problem(v, field+".timeout", "%q: want whole seconds from %v to %v, such as 90s, 10m or 2h", strictyaml.Clip(s), MinTimeout, MaxTimeout)
			}
			o.Timeout = d
		}
	}
	if v := f["env"]; v != nil {
		o.Env = t.List(v, field+".env", envProblem)
		names := map[string]bool{}
		for _, entry := range o.Env {
			name, _, _ := strings.Cut(entry, "=")
			if names[strings.ToUpper(name)] {
				t.Problem(v, field+".env", "%s stands in the list twice", name)
			}
			names[strings.ToUpper(name)] = true
		}
	}
	o.User = t.Word(f["user"], field+".user", account.Problem)
	if v := f["sandbox"]; v != nil {
		o.Sandbox = t.sandbox(v, field+".sandbox")
	}
	if v := f["tokens"]; v != nil {
		o.Tokens = t.List(v, field+".tokens", audience.Problem)
		for i, a := range o.Tokens {
			if slices.ContainsFunc(o.Tokens[:i], func(b string) bool { return audience.Same(a, b) }) {
				t.Problem(v, field+".tokens", "%s stands in the list twice", strictyaml.Clip(a))
			}
		}
	}
}

// profiles are those of a sandbox, the strongest first.
var profiles = []string{SandboxStrict, SandboxStandard, SandboxNone}

// sandbox reads one profile, or a list of them in which each is weaker than the one
// before: what is used where the host cannot give that.
func (t *tree) sandbox(n *yaml.Node, field string) []string {
	known := func(s string) string {
		if slices.Contains(profiles, s) {
			return ""
		}
		return "want " + strings.Join(profiles, ", ")
	}
	if n.Kind != yaml.SequenceNode {
		if s := t.Word(n, field, known); s != "" {
			return []string{s}
		}
		return nil
	}
	list := t.List(n, field, known)
	if !slices.IsSortedFunc(list, func(a, b string) int { return slices.Index(profiles, a) - slices.Index(profiles, b) }) {
		t.Problem(n, field, "want the strongest first: %s", strings.Join(profiles, ", "))
	}
	return list
}
