package oidctoken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/runwrit/writ/internal/endpoint"
	"github.com/runwrit/writ/internal/lazyregexp"
)

// Audiences of tokens.
const (
	// Sigstore is the audience that Fulcio wants.
	Sigstore = "sigstore"
	// AzureExchange is the only audience for which Azure DevOps gives tokens.
	AzureExchange = "api://AzureADTokenExchange"
)

// Pipelines that give tokens to their jobs.
const (
	GitHub      = "github"
	AzureDevOps = "azure-devops"
	GitLab      = "gitlab"
	Auto        = "auto"
)

// Pipelines are the words for them.
func Pipelines() []string { return []string{GitHub, AzureDevOps, GitLab, Auto} }

// Variables of the pipelines.
const (
	githubURL, githubToken = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
	azureURL, azureToken   = "SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN"
	gitlabToken            = "SIGSTORE_ID_TOKEN" //nolint:gosec // a name, no secret
)

// Source says where a token is; exactly one of Value, File, Env and Pipeline is set.
type Source struct {
	// Value is the token itself.
	Value string
	// File holds the token; "-" is Stdin.
	File  string
	Stdin io.Reader
	// Env is the name of a variable that holds the token.
	Env string
	// Pipeline is the service to ask, or Auto for the one whose variables are set.
	Pipeline string
	// Connection is the ID of the service connection of Azure DevOps.
	Connection string
	// Audience is for whom the token must be; "" for what is usual.
	Audience string
	// LookupEnv reads the environment; nil for that of the process.
	LookupEnv func(string) (string, bool)
	// Now is the clock; nil for that of the machine.
	Now func() time.Time
	// Endpoint says how a service is asked.
	Endpoint endpoint.Options
}

// Given says whether the source names anything.
func (s *Source) Given() bool {
	return s.Value != "" || s.File != "" || s.Env != "" || s.Pipeline != ""
}

// Get reads or asks for the token. It fails with *Error where there is none that is
// fit to be sent, with *endpoint.Error where a service gives none, and with the
// error of the file system.
func (s *Source) Get(ctx context.Context) (Token, error) {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	pipeline, err := s.pipeline()
	if err != nil {
		return Token{}, err
	}
	wanted := s.Audience
	if wanted == "" && pipeline == AzureDevOps {
		wanted = AzureExchange
	}
	if wanted == "" {
		wanted = Sigstore
	}
	from, raw, err := s.read(ctx, pipeline, wanted)
	if err != nil {
		return Token{}, err
	}
	return Parse(from, raw, wanted, now())
}

func (s *Source) env(name string) string {
	lookup := os.LookupEnv
	if s.LookupEnv != nil {
		lookup = s.LookupEnv
	}
	value, _ := lookup(name)
	return value
}

// pipeline is the one to ask. Two that could be meant are none: which of them it
// is decides in whose name is signed.
func (s *Source) pipeline() (string, error) {
	if s.Pipeline != Auto {
		return s.Pipeline, nil
	}
	var found []string
	for _, p := range [...]struct{ name, variable string }{{GitHub, githubURL}, {AzureDevOps, azureURL}, {GitLab, gitlabToken}} {
		if s.env(p.variable) != "" {
			found = append(found, p.name)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", &Error{"the pipeline", fmt.Sprintf("there is none: none of the variables %s, %s and %s is set", githubURL, azureURL, gitlabToken)}
	}
	return "", &Error{"the pipeline", fmt.Sprintf("it could be that of %s: say which", found)}
}

func (s *Source) read(ctx context.Context, pipeline, wanted string) (from string, raw []byte, err error) {
	switch {
	case pipeline == GitHub:
		raw, err = s.askGitHub(ctx, wanted)
		return "GitHub Actions", raw, err
	case pipeline == AzureDevOps:
		raw, err = s.askAzureDevOps(ctx)
		return "Azure DevOps", raw, err
	case pipeline == GitLab:
		return "the variable " + gitlabToken, []byte(s.env(gitlabToken)), nil
	case s.Env != "":
		return "the variable " + s.Env, []byte(s.env(s.Env)), nil
	case s.File == "-" && s.Stdin != nil:
		raw, err = readWithin(ctx, s.Stdin)
		return "standard input", raw, err
	case s.File != "":
		raw, err = readFile(s.File)
		return fmt.Sprintf("%q", s.File), raw, err
	case s.Value != "":
		return "the command line", []byte(s.Value), nil
	}
	return "", nil, errors.New("no source of an identity token")
}

// readWithin gives up when ctx ends: whoever is to write the token may never do so.
func readWithin(ctx context.Context, r io.Reader) ([]byte, error) {
	type answer struct {
		data []byte
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		data, err := io.ReadAll(io.LimitReader(r, MaxSize+2))
		read <- answer{data, err}
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case got := <-read:
		return got.data, got.err
	}
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path) // to open a FIFO would be to wait
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{fmt.Sprintf("%q", path), "not a regular file"}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return io.ReadAll(io.LimitReader(f, MaxSize+2))
}

// askGitHub asks the runner's service. The address has a query already, as the
// runner has set it.
func (s *Source) askGitHub(ctx context.Context, wanted string) ([]byte, error) {
	const missing = "no token to be had: does the job have the permission id-token: write?"
	u, err := s.service("the token service of GitHub Actions", githubURL, githubToken, missing)
	if err != nil {
		return nil, err
	}
	query := u.Query()
	query.Set("audience", wanted)
	u.RawQuery = query.Encode()
	answer, err := s.ask(ctx, "token service of GitHub Actions", http.MethodGet, u, s.env(githubToken))
	return []byte(answer.Value), err
}

// connectionForm is a GUID, as Azure DevOps names a service connection.
var connectionForm = lazyregexp.New(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// askAzureDevOps asks the organisation's service, in the form that its own tasks use.
func (s *Source) askAzureDevOps(ctx context.Context) ([]byte, error) {
	const missing = "no token to be had: the job needs env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)"
	u, err := s.service("the token service of Azure DevOps", azureURL, azureToken, missing)
	if err != nil {
		return nil, err
	}
	if !connectionForm.MatchString(s.Connection) {
		return nil, &Error{"Azure DevOps", "it needs the ID of the service connection, a GUID"}
	}
	query := url.Values{"api-version": {"7.1"}, "serviceConnectionId": {s.Connection}}
	u.RawQuery = query.Encode()
	answer, err := s.ask(ctx, "token service of Azure DevOps", http.MethodPost, u, s.env(azureToken))
	return []byte(answer.OIDCToken), err
}

// service reads the variables of a pipeline.
func (s *Source) service(what, address, secret, missing string) (*url.URL, error) {
	if s.env(address) == "" || s.env(secret) == "" {
		return nil, &Error{what, missing}
	}
	u, err := endpoint.ParseURL("the variable "+address, s.env(address))
	if err != nil {
		return nil, &Error{what, err.Error()}
	}
	return u, nil
}

// answer is what the services say.
type answer struct {
	Value     string `json:"value"`
	OIDCToken string `json:"oidcToken"`
}

func (s *Source) ask(ctx context.Context, what, method string, u *url.URL, secret string) (a answer, err error) {
	options := s.Endpoint
	options.Secret = true
	t := endpoint.New(ctx, what, u, options)
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return a, t.Refuse("no request can be made of its address")
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("Accept", "application/json")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-TFS-FedAuthRedirect", "Suppress") // a refusal, not the page to sign in
	}
	data, err := t.Do(req)
	if err != nil {
		return a, err
	}
	if json.Unmarshal(data, &a) != nil {
		return answer{}, t.Refuse("the answer is not JSON with a token")
	}
	return a, nil
}
