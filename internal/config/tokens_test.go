package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/config"
	"github.com/runwrit/writ/worker/broker"
)

func TestTokensAreOfTheWorkersIdentityOrOfAnother(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]*config.Tokens{
		"tokens: {protocol: app-service, source: imds, client_id: abc}\n": {Protocol: broker.AppService, Identity: &config.ManagedIdentity{Source: "imds", ClientID: "abc"}},
		"tokens: {protocol: arc, source: app-service, endpoint: \"http://127.0.0.1:1/msi/token\", header_file: /run/header}\n": {
			Protocol: broker.Arc, Identity: &config.ManagedIdentity{Source: "app-service", Endpoint: "http://127.0.0.1:1/msi/token", HeaderFile: "/run/header"},
		},
		issuer + "managed_identity: {source: arc, audience: \"api://writ\"}\ntokens: {protocol: app-service}\n": {
			Protocol: broker.AppService, Identity: &config.ManagedIdentity{Source: "arc", Audience: "api://writ"},
		},
		"": nil,
	} {
		w, err := config.Parse("worker.yaml", []byte(minimal+text))
		if err != nil {
			t.Fatalf("%s: %s", text, problems(err))
		}
		if diff := cmp.Diff(want, w.Tokens); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestMistakesInTokensAreNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                 {"tokens: {}\n", "tokens.protocol: is missing"},
		"an unknown protocol":     {"tokens: {protocol: imds, source: imds}\n", `tokens.protocol: "imds": want app-service or arc`},
		"no identity":             {"tokens: {protocol: arc}\n", "tokens: needs a source, or managed_identity"},
		"an unknown source":       {"tokens: {protocol: arc, source: aws}\n", "tokens.source: want one of"},
		"a client without source": {issuer + "managed_identity: {source: imds, audience: a}\ntokens: {protocol: arc, client_id: b}\n", "tokens.client_id: needs a source"},
		"a client of arc":         {"tokens: {protocol: arc, source: arc, client_id: b}\n", "tokens.client_id: means nothing for arc"},
		"no header":               {"tokens: {protocol: arc, source: app-service, endpoint: \"http://127.0.0.1:1/\"}\n", "tokens.header_file: is missing"},
		"an endpoint on the net":  {"tokens: {protocol: arc, source: arc, endpoint: \"http://192.0.2.1/\"}\n", "tokens.endpoint: want"},
		"an audience":             {"tokens: {protocol: arc, source: arc, audience: a}\n", "unknown key"},
		"something else entirely": {"tokens: true\n", "want a mapping"},
	} {
		_, err := config.Parse("worker.yaml", []byte(minimal+c.text))
		if !strings.Contains(problems(err), c.want) {
			t.Errorf("%s: got %q, want %q", name, problems(err), c.want)
		}
	}
}
