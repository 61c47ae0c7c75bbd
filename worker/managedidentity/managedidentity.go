// Package managedidentity gets the token of a worker's own Azure managed
// identity: of a virtual machine (IMDS), of a server with the Azure Arc agent, or
// of App Service and Azure Automation. The worker's configuration says which of
// them; the environment of the process does not: it is the job's, and who could
// set IDENTITY_ENDPOINT there would say who the worker is.
//
// The protocols are those of azidentity and MSAL, which take the source from the
// environment. So the variables that they look at are set for the time of one
// call, from the configuration alone, and put back afterwards; calls take turns.
// Other code of the process that reads just these variables meanwhile sees them.
//
// A token that it returns is believed no more than any other: package identity
// verifies it. Whoever may ask these services on the machine gets the same token:
// it says on which machine something runs, not who asked for it.
package managedidentity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	msal "github.com/AzureAD/microsoft-authentication-library-for-go/apps/managedidentity"
)

// Sources of a Config.
const (
	SourceIMDS       = "imds"
	SourceArc        = "arc"
	SourceAppService = "app-service"
)

// Timeout is how long one call may take, once it is its turn.
const Timeout = 2 * time.Second

const (
	maxAnswer = 64 << 10
	maxText   = 1_024
	// arcEndpoint is where the agent of Azure Arc answers.
	arcEndpoint = "http://127.0.0.1:40342/metadata/identity/oauth2/token"
	imdsHost    = "169.254.169.254"
)

var sources = []string{SourceIMDS, SourceArc, SourceAppService}

// Config says which managed identity a worker has.
type Config struct {
	Source string
	// ClientID names one of several identities; "" is the machine's own. The agent
	// of Arc knows only that.
	ClientID string
	// Audience is for whom the token is: an application ID, or its address.
	Audience string
	// Endpoint is where the source answers: required for App Service, and for Arc
	// another one than usual. IMDS has one address.
	Endpoint string
	// Header is what App Service wants to see before it answers: a secret.
	Header string
}

// Problem says what is wrong with the configuration, and with which field; "" for
// nothing. The Header is not looked at.
func (c *Config) Problem() (field, problem string) {
	switch {
	case !slices.Contains(sources, c.Source):
		return "source", "want one of " + strings.Join(sources, ", ")
	case !printable(c.Audience):
		return "audience", "want an application ID or its address: without it the token could be for anybody"
	case c.ClientID != "" && !printable(c.ClientID):
		return "client_id", "want the ID of a client"
	case c.ClientID != "" && c.Source == SourceArc:
		return "client_id", "means nothing for arc: its agent knows the machine's own identity only"
	case c.Endpoint != "" && c.Source == SourceIMDS:
		return "endpoint", "means nothing for imds: it has one address"
	case c.Endpoint == "" && c.Source == SourceAppService:
		return "endpoint", "is missing: app-service has no usual one"
	case c.Endpoint != "" && !nearby(c.Endpoint):
		return "endpoint", "want an http address of this machine by its number (127.0.0.1, ::1 or link-local), without a query"
	}
	return "", ""
}

func printable(s string) bool {
	return s != "" && len(s) <= maxText && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// nearby says that an address cannot leave the machine and the host it runs on:
// what it answers is not encrypted.
func nearby(s string) bool {
	u, err := url.Parse(s)
	if err != nil || !printable(s) || u.Scheme != "http" || u.User != nil || strings.ContainsAny(s, "?#") {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && (ip.IsLoopback() || ip.IsLinkLocalUnicast())
}

// Options are for the outermost edge of a call.
type Options struct {
	// Transport carries the requests; by default over the network, without a proxy
	// and without redirections. Tests put an emulator here for the fixed address
	// of IMDS.
	Transport http.RoundTripper
}

// turn is full while the environment is that of one call.
var turn = make(chan struct{}, 1)

// Token asks for a token. An error says why there is none; it holds no part of a
// token and no secret.
func Token(ctx context.Context, c Config, o Options) ([]byte, error) {
	token, _, err := get(ctx, c, o)
	return token, err
}

// Host is the identity of the host as a source of tokens for any audience: that of its
// Config is not looked at. It is safe for use by several goroutines.
type Host struct {
	Config  Config
	Options Options
}

// Problem says what is wrong with the configuration, and with which field; "" for
// nothing.
func (h *Host) Problem() (field, problem string) {
	c := h.Config
	c.Audience = "any"
	return c.Problem()
}

// Token asks for a token, and says when it expires. An error is as that of the function
// Token.
func (h *Host) Token(ctx context.Context, audience string) (token []byte, expires time.Time, err error) {
	c := h.Config
	c.Audience = audience
	return get(ctx, c, h.Options)
}

func get(ctx context.Context, c Config, o Options) (token []byte, expires time.Time, err error) {
	if field, bad := c.Problem(); bad != "" {
		return nil, expires, fmt.Errorf("managed identity: %s: %s", field, bad)
	}
	if c.Source == SourceArc && runtime.GOOS != "linux" {
		return nil, expires, errors.New("managed identity: arc is for Linux: elsewhere the environment says where its keys lie")
	}
	if c.Source == SourceAppService && !printable(c.Header) {
		return nil, expires, errors.New("managed identity: app-service wants a header, and there is none, or an odd one")
	}
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return nil, expires, fmt.Errorf("managed identity of %s: others were asking for too long: %v", c.Source, ctx.Err())
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	restore, err := c.setEnvironment()
	defer restore()
	if err != nil {
		return nil, expires, fmt.Errorf("managed identity: %v", err)
	}
	got, err := c.ask(ctx, o)
	if err != nil {
		return nil, expires, fmt.Errorf("managed identity of %s: %s", c.Source, c.explain(ctx, err))
	}
	return []byte(got.Token), got.ExpiresOn, nil
}

// variables are all that azidentity and MSAL look at to choose a source.
var variables = []string{
	"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET",
	"AZURE_POD_IDENTITY_AUTHORITY_HOST", "DEFAULT_IDENTITY_CLIENT_ID",
}

// setEnvironment makes the variables say what the configuration says, and nothing
// else, until restore is called.
func (c *Config) setEnvironment() (restore func(), err error) {
	before := map[string]string{}
	for _, name := range variables {
		if v, there := os.LookupEnv(name); there {
			before[name] = v
		}
	}
	restore = func() {
		for _, name := range variables {
			v, there := before[name]
			if !there || os.Setenv(name, v) != nil { // what was there can be set
				_ = os.Unsetenv(name)
			}
		}
	}
	set := map[string]string{}
	want := msal.DefaultToIMDS
	switch c.Source {
	case SourceArc:
		set["IDENTITY_ENDPOINT"], set["IMDS_ENDPOINT"], want = c.endpoint(), "arc", msal.AzureArc
	case SourceAppService:
		set["IDENTITY_ENDPOINT"], set["IDENTITY_HEADER"], want = c.endpoint(), c.Header, msal.AppService
	}
	for _, name := range variables {
		change := func() error { return os.Unsetenv(name) }
		if v, there := set[name]; there {
			change = func() error { return os.Setenv(name, v) }
		}
		if err := change(); err != nil {
			return restore, errors.New("the environment cannot be set")
		}
	}
	// MSAL also looks whether the agent of Arc is installed.
	if got, err := msal.GetSource(); err != nil || got != want {
		return restore, fmt.Errorf("the library would ask %s, not %s: is the agent of Azure Arc installed here?", got, want)
	}
	return restore, nil
}

func (c *Config) endpoint() string {
	if c.Source == SourceArc && c.Endpoint == "" {
		return arcEndpoint
	}
	return c.Endpoint
}

func (c *Config) ask(ctx context.Context, o Options) (azcore.AccessToken, error) {
	var none azcore.AccessToken
	options := &azidentity.ManagedIdentityCredentialOptions{}
	options.Transport = newEdge(c, o.Transport)
	options.Retry = policy.RetryOptions{MaxRetries: -1} // none: there are two seconds
	options.Telemetry.Disabled = true
	if c.ClientID != "" {
		options.ID = azidentity.ClientID(c.ClientID)
	}
	credential, err := azidentity.NewManagedIdentityCredential(options)
	if err != nil {
		return none, err
	}
	token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{c.Audience}})
	if err != nil {
		return none, err
	}
	if token.Token == "" {
		return none, errors.New("the answer has no token")
	}
	return token, nil
}

// tokenLike is what a message must not repeat.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9_-]{40,}`)

// explain is the first line of an error, without what could be a token. The
// library's errors hold whole answers behind it.
func (c *Config) explain(ctx context.Context, err error) string {
	var failed *azidentity.AuthenticationFailedError
	switch {
	case ctx.Err() != nil:
		return fmt.Sprintf("no answer in time: %v", ctx.Err())
	case errors.As(err, &failed) && failed.RawResponse != nil:
		return fmt.Sprintf("the answer has status %d", failed.RawResponse.StatusCode)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	if c.Header != "" {
		line = strings.ReplaceAll(line, c.Header, "...")
	}
	line = tokenLike.ReplaceAllString(line, "...")
	return strings.ToValidUTF8(line[:min(len(line), 300)], "")
}

// edge carries the library's requests to the one place they may go to, and bounds
// what comes back.
type edge struct {
	client *http.Client
	host   string
}

func newEdge(c *Config, transport http.RoundTripper) *edge {
	if transport == nil {
		// No proxy: the environment that names one is the job's.
		transport = &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: maxAnswer}
	}
	host := imdsHost
	if u, err := url.Parse(c.endpoint()); err == nil && c.Source != SourceIMDS {
		host = u.Host
	}
	return &edge{host: host, client: &http.Client{
		Transport: transport, Timeout: Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("a redirection is not followed") },
	}}
}

// Do implements policy.Transporter.
func (e *edge) Do(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "http" || r.URL.Host != e.host {
		return nil, fmt.Errorf("the library asks %q, not %q", r.URL.Host, e.host)
	}
	response, err := e.client.Do(r) //nolint:gosec // the host was just compared with the configured one
	if err != nil {
		return nil, err
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, maxAnswer), response.Body}
	return response, nil
}
