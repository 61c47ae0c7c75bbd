package config

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/guard"
	"github.com/runwrit/writ/worker/managedidentity"
)

// ManagedIdentity says which managed identity the worker has.
type ManagedIdentity struct {
	Source, ClientID, Audience, Endpoint string
	// HeaderFile is the file that holds the header of App Service.
	HeaderFile string
}

// Config is the configuration of a call. It reads the header's file.
func (m *ManagedIdentity) Config(guarded bool) (managedidentity.Config, error) {
	c := managedidentity.Config{Source: m.Source, ClientID: m.ClientID, Audience: m.Audience, Endpoint: m.Endpoint}
	if m.HeaderFile == "" {
		return c, nil
	}
	data, err := guard.ReadFile(m.HeaderFile, maxText, guarded)
	if err != nil {
		return c, &ReadError{m.HeaderFile, err}
	}
	c.Header = strings.TrimRight(string(data), "\r\n")
	return c, nil
}

func (t *tree) managedIdentity(n *yaml.Node) *ManagedIdentity {
	const field = "managed_identity"
	f := t.Fields(n, field, "source", "client_id", "audience", "endpoint", "header_file")
	m := t.hostIdentity(f, field)
	m.Audience = t.Word(f["audience"], field+".audience", textProblem)
	c := managedidentity.Config{Source: m.Source, ClientID: m.ClientID, Audience: m.Audience, Endpoint: m.Endpoint}
	t.checkIdentity(n, field, f, m, c.Problem)
	return m
}

// hostIdentity reads whom the host asks.
func (t *tree) hostIdentity(f map[string]*yaml.Node, field string) *ManagedIdentity {
	word := func(key string) string { return t.Word(f[key], field+"."+key, textProblem) }
	return &ManagedIdentity{
		Source: word("source"), ClientID: word("client_id"), Endpoint: word("endpoint"),
		HeaderFile: t.Word(f["header_file"], field+".header_file", pathProblem),
	}
}

// checkIdentity says what is wrong with m as a whole; problem is what its source says.
func (t *tree) checkIdentity(n *yaml.Node, field string, f map[string]*yaml.Node, m *ManagedIdentity, problem func() (key, bad string)) {
	if len(t.Problems) > 0 {
		return
	}
	key, bad := problem()
	switch needed := m.Source == managedidentity.SourceAppService; {
	case bad != "":
	case needed && m.HeaderFile == "":
		key, bad = "header_file", "is missing: app-service wants to see a header"
	case !needed && m.HeaderFile != "":
		key, bad = "header_file", "means nothing for this source"
	}
	if bad != "" {
		at := f[key]
		if at == nil {
			at = n
		}
		t.Problem(at, field+"."+key, "%s", bad)
	}
}
