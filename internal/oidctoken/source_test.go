package oidctoken_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/endpoint"
	"github.com/runwrit/writ/internal/oidctoken"
)

const (
	requestToken = "the-secret-of-the-job"
	connection   = "cc334b87-fdbe-4996-aa3f-5bad192a18a6"
)

// source reads its variables from a map, and judges at a fixed time.
func source(variables map[string]string) *oidctoken.Source {
	return &oidctoken.Source{
		LookupEnv: func(name string) (string, bool) { v, ok := variables[name]; return v, ok },
		Now:       func() time.Time { return now },
		Endpoint:  endpoint.Options{Wait: func(context.Context, time.Duration) error { return nil }},
	}
}

func TestATokenIsTakenFromWhereItLies(t *testing.T) {
	t.Parallel()
	raw := token(t, claims(nil))
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(raw+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string]func(*oidctoken.Source){
		"a file":               func(s *oidctoken.Source) { s.File = file },
		"standard input":       func(s *oidctoken.Source) { s.File, s.Stdin = "-", strings.NewReader(raw) },
		"a variable":           func(s *oidctoken.Source) { s.Env = "MY_TOKEN" },
		"the variable of":      func(s *oidctoken.Source) { s.Pipeline = oidctoken.GitLab },
		"the one that is set":  func(s *oidctoken.Source) { s.Pipeline = oidctoken.Auto },
		"the command line":     func(s *oidctoken.Source) { s.Value = raw },
		"for another audience": func(s *oidctoken.Source) { s.Value, s.Audience = token(t, claims(map[string]any{"aud": "my"})), "my" },
	} {
		s := source(map[string]string{"MY_TOKEN": raw, "SIGSTORE_ID_TOKEN": raw})
		set(s)
		if got, err := s.Get(t.Context()); err != nil || got.Issuer != "https://issuer.example" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAttackAnInputThatNeverEndsIsGivenUp: whoever ends the program ends this too.
func TestAttackAnInputThatNeverEndsIsGivenUp(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	defer func() { _ = w.Close() }() // ends the reader
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := source(nil)
	s.File, s.Stdin = "-", r
	if _, err := s.Get(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestASourceWithoutATokenSaysSo(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		set       func(*oidctoken.Source)
		variables map[string]string
		want      string
	}{
		"no source":                    {func(*oidctoken.Source) {}, nil, "no source"},
		"a variable that is not set":   {func(s *oidctoken.Source) { s.Env = "MY_TOKEN" }, nil, "the variable MY_TOKEN: there is none"},
		"no pipeline":                  {func(s *oidctoken.Source) { s.Pipeline = oidctoken.Auto }, nil, "there is none"},
		"two pipelines":                {func(s *oidctoken.Source) { s.Pipeline = oidctoken.Auto }, map[string]string{"SYSTEM_OIDCREQUESTURI": "x", "SIGSTORE_ID_TOKEN": "x"}, "say which"},
		"a job without permission":     {func(s *oidctoken.Source) { s.Pipeline = oidctoken.GitHub }, map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": "https://a.example"}, "id-token: write"},
		"a service in plain text":      {func(s *oidctoken.Source) { s.Pipeline = oidctoken.GitHub }, map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": "http://a.example", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": requestToken}, "want https"},
		"a step without its variable":  {func(s *oidctoken.Source) { s.Pipeline = oidctoken.AzureDevOps }, map[string]string{"SYSTEM_OIDCREQUESTURI": "https://a.example"}, "SYSTEM_ACCESSTOKEN"},
		"no service connection":        {func(s *oidctoken.Source) { s.Pipeline = oidctoken.AzureDevOps }, map[string]string{"SYSTEM_OIDCREQUESTURI": "https://a.example", "SYSTEM_ACCESSTOKEN": requestToken}, "service connection"},
		"a folder":                     {func(s *oidctoken.Source) { s.File = t.TempDir() }, nil, "not a regular file"},
		"a file that does not exist":   {func(s *oidctoken.Source) { s.File = filepath.Join(t.TempDir(), "none") }, nil, "no such file"},
		"a file without end":           {func(s *oidctoken.Source) { s.File = "/dev/zero" }, nil, "not a regular file"},
		"standard input without a end": {func(s *oidctoken.Source) { s.File, s.Stdin = "-", endless{} }, nil, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := source(tt.variables)
			tt.set(s)
			_, err := s.Get(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) && !(os.PathSeparator == '\\' && name == "a file without end") {
				t.Errorf("%v; want an error that says %q", err, tt.want)
			}
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// pipeline starts a service of tokens; the source asks it.
func pipeline(t *testing.T, name string, h http.HandlerFunc) *oidctoken.Source {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	s := source(map[string]string{
		"ACTIONS_ID_TOKEN_REQUEST_URL": server.URL + "/idtoken?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": requestToken,
		"SYSTEM_OIDCREQUESTURI": server.URL + "/org/_apis/oidctoken", "SYSTEM_ACCESSTOKEN": requestToken,
	})
	s.Pipeline, s.Connection = name, connection
	return s
}

func TestAJobOfGitHubAsksItsRunner(t *testing.T) {
	t.Parallel()
	raw := token(t, claims(nil))
	s := pipeline(t, oidctoken.GitHub, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.Method != http.MethodGet || r.URL.Path != "/idtoken" || q.Get("api-version") != "2.0" || q.Get("audience") != "sigstore" || r.Header.Get("Authorization") != "Bearer "+requestToken {
			w.WriteHeader(400)
		}
		_, _ = w.Write([]byte(`{"count":1,"value":"` + raw + `"}`))
	})
	if got, err := s.Get(t.Context()); err != nil || got.Raw() != raw {
		t.Fatal(err)
	}
}

// TestAJobOfAzureDevOpsAsksItsOrganisation: that gives tokens for one audience only.
func TestAJobOfAzureDevOpsAsksItsOrganisation(t *testing.T) {
	t.Parallel()
	raw := token(t, claims(map[string]any{"aud": oidctoken.AzureExchange}))
	s := pipeline(t, oidctoken.AzureDevOps, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.Method != http.MethodPost || r.URL.Path != "/org/_apis/oidctoken" || q.Get("api-version") != "7.1" || q.Get("serviceConnectionId") != connection || r.Header.Get("Authorization") != "Bearer "+requestToken {
			w.WriteHeader(400)
		}
		_, _ = w.Write([]byte(`{"oidcToken":"` + raw + `"}`))
	})
	if got, err := s.Get(t.Context()); err != nil || got.Raw() != raw {
		t.Fatal(err)
	}
}

func TestAttackAServiceOfTokensThatAnswersAmiss(t *testing.T) {
	t.Parallel()
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked, with %q", r.Header.Get("Authorization"))
	}))
	t.Cleanup(thief.Close)
	raw := token(t, claims(map[string]any{"aud": "elsewhere"}))
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"redirects to another host": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
		}, "redirect"},
		"sends the page to sign in":       {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>" + requestToken)) }, "not JSON"},
		"sends no token":                  {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"value":""}`)) }, "there is none"},
		"sends a token for somebody else": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"value":"` + raw + `"}`)) }, "elsewhere"},
		"never ends":                      {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2*endpoint.MaxAnswer)) }, "more than"},
		"refuses, and says the token back": {func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.Header.Get("Authorization"), http.StatusUnauthorized)
		}, "HTTP status 401"},
		"is out of order": {func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.Header.Get("Authorization"), http.StatusInternalServerError)
		}, "HTTP status 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := pipeline(t, oidctoken.GitHub, tt.answer).Get(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v; want an error that says %q", err, tt.want)
			}
			if strings.Contains(err.Error(), requestToken) || strings.Contains(err.Error(), strings.Split(raw, ".")[1]) {
				t.Errorf("the error holds a secret: %v", err)
			}
		})
	}
}

func TestASlowServiceOfTokensIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s := pipeline(t, oidctoken.GitHub, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s.Endpoint.Timeout = 20 * time.Millisecond
	_, err := s.Get(t.Context())
	var silent *endpoint.Error
	if !errors.As(err, &silent) || !silent.Silent {
		t.Fatal(err)
	}
}
