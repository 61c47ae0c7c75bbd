package config

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/strictyaml"
	"github.com/runwrit/writ/worker/identity"
)

const (
	maxIssuers = 50
	// defaultSkew is how far clocks may be apart where the file does not say.
	defaultSkew = time.Minute
)

func (t *tree) issuers(n *yaml.Node) []identity.Issuer {
	var list []identity.Issuer
	for k, item := range t.Items(n, "issuers", maxIssuers) {
		field := fmt.Sprintf("issuers[%d]", k)
		f := t.Fields(item, field, "mapping", "issuer", "trust_domain", "jwks", "jwks_url", "audiences", "algorithms", "skew", "max_age", "max_lifetime", "pins", "groups_claim", "roles_claim")
		word := func(key string) string { return t.Word(f[key], field+"."+key, textProblem) }
		i := identity.Issuer{
			Mapping: word("mapping"), Issuer: word("issuer"), TrustDomain: word("trust_domain"), JWKS: t.Word(f["jwks"], field+".jwks", pathProblem),
			JWKSURL: word("jwks_url"), Audiences: t.texts(f["audiences"], field+".audiences"), Algorithms: t.texts(f["algorithms"], field+".algorithms"),
			Skew: defaultSkew, GroupsClaim: word("groups_claim"), RolesClaim: word("roles_claim"),
		}
		for key, d := range map[string]*time.Duration{"skew": &i.Skew, "max_age": &i.MaxAge, "max_lifetime": &i.MaxLifetime} {
			t.duration(f[key], field+"."+key, d)
		}
		if v := f["pins"]; v != nil {
			i.Pins = map[string][]string{}
			for _, p := range t.Entries(v, field+".pins") {
				i.Pins[p.Key] = t.oneOrSeveral(p.Value, field+".pins."+strictyaml.Clip(p.Key))
			}
		}
		// What is missing or odd was said already where it stands.
		if key, bad := i.Problem(); bad != "" && len(t.Problems) == 0 {
			at := f[key]
			if at == nil {
				at = item
			}
			t.Problem(at, field+"."+key, "%s", bad)
		}
		list = append(list, i)
	}
	if len(t.Problems) == 0 {
		if _, err := identity.NewIssuers(list, identity.IssuersOptions{}); err != nil {
			t.Problem(n, "issuers", "%v", err)
		}
	}
	return list
}

func (t *tree) texts(n *yaml.Node, field string) []string {
	if n == nil {
		return nil
	}
	return t.List(n, field, textProblem)
}

// oneOrSeveral reads a text, or a list of them.
func (t *tree) oneOrSeveral(n *yaml.Node, field string) []string {
	if n.Kind == yaml.SequenceNode {
		return t.texts(n, field)
	}
	return []string{t.Word(n, field, textProblem)}
}

func (t *tree) duration(n *yaml.Node, field string, d *time.Duration) {
	s := t.Word(n, field, textProblem)
	if s == "" {
		return
	}
	v, err := time.ParseDuration(s)
	if err != nil || v%time.Second != 0 || v < 0 {
		t.Problem(n, field, "%q: want whole seconds, such as 90s, 10m or 2h", strictyaml.Clip(s))
		return
	}
	*d = v
}
