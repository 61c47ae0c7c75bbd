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
	word := func(key string) string { return t.Word(f[key], field+"."+key, textProblem) }
	m := &ManagedIdentity{
		Source: word("source"), ClientID: word("client_id"), Audience: word("audience"), Endpoint: word("endpoint"),
		HeaderFile: t.Word(f["header_file"], field+".header_file", pathProblem),
	}
	if len(t.Problems) > 0 {
		return m
	}
	c := managedidentity.Config{Source: m.Source, ClientID: m.ClientID, Audience: m.Audience, Endpoint: m.Endpoint}
	key, bad := c.Problem()
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
	return m
}
