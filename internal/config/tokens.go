package config

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/worker/broker"
	"github.com/runwrit/writ/worker/managedidentity"
)

// Tokens says how runbooks get the tokens that the policy grants.
type Tokens struct {
	Protocol broker.Protocol
	// Identity is the host's; its audience means nothing here.
	Identity *ManagedIdentity
}

// tokens reads the section. Without a source of its own, the tokens are those of the
// worker's identity.
func (t *tree) tokens(n *yaml.Node, worker *ManagedIdentity) *Tokens {
	const field = "tokens"
	f := t.Fields(n, field, "protocol", "source", "client_id", "endpoint", "header_file")
	v := &Tokens{Identity: worker}
	v.Protocol = broker.Protocol(t.Word(t.Need(f, n, field, "protocol"), field+".protocol", func(s string) string {
		if slices.Contains(broker.Protocols(), broker.Protocol(s)) {
			return ""
		}
		return "want app-service or arc"
	}))
	for _, key := range []string{"client_id", "endpoint", "header_file"} {
		if f[key] != nil && f["source"] == nil {
			t.Problem(f[key], field+"."+key, "needs a source beside it: without one, all is that of managed_identity")
		}
	}
	switch {
	case f["source"] != nil:
		v.Identity = t.hostIdentity(f, field)
		h := managedidentity.Host{Config: managedidentity.Config{Source: v.Identity.Source, ClientID: v.Identity.ClientID, Endpoint: v.Identity.Endpoint}}
		t.checkIdentity(n, field, f, v.Identity, h.Problem)
	case worker == nil:
		t.Problem(n, field, "needs a source, or managed_identity: whose tokens are they?")
	}
	return v
}
