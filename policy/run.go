package policy

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

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
	o.User = t.Word(f["user"], field+".user", func(s string) string {
		if accountForm.holds(s) {
			return ""
		}
		return "want the name of an account"
	})
	o.Sandbox = t.Word(f["sandbox"], field+".sandbox", nameProblem)
	if v := f["tokens"]; v != nil {
		o.Tokens = t.List(v, field+".tokens", nameProblem)
	}
}
