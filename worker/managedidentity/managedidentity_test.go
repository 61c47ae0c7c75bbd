package managedidentity_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/worker/managedidentity"
)

// theToken is what the emulators give.
const theToken = "eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiJhYWFhYWFhYS1iYmJiIn0.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZy1lbm91Z2g"

// audiences are different, because MSAL keeps tokens by them.
var audiences atomic.Int32

func audience() string { return fmt.Sprintf("api://writ-%d", audiences.Add(1)) }

func answer(w http.ResponseWriter, audience string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"access_token":%q,"expires_in":"3600","expires_on":"%d","resource":%q,"token_type":"Bearer"}`, theToken, time.Now().Add(time.Hour).Unix(), audience)
}

// emulator is a service on this machine; asked counts the requests that it got.
type emulator struct {
	*httptest.Server
	asked atomic.Int32
}

func newEmulator(t *testing.T, serve http.HandlerFunc) *emulator {
	t.Helper()
	e := &emulator{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.asked.Add(1)
		serve(w, r)
	}))
	t.Cleanup(e.Close)
	return e
}

// hostile sets every variable that could lead a library to the job's own service.
func hostile(t *testing.T) *emulator {
	t.Helper()
	e := newEmulator(t, func(w http.ResponseWriter, r *http.Request) { answer(w, r.URL.Query().Get("resource")) })
	for name, value := range map[string]string{
		"IDENTITY_ENDPOINT": e.URL, "IDENTITY_HEADER": "evil", "IDENTITY_SERVER_THUMBPRINT": "00", "IMDS_ENDPOINT": e.URL, "MSI_ENDPOINT": e.URL, "MSI_SECRET": "evil",
		"AZURE_POD_IDENTITY_AUTHORITY_HOST": e.URL, "DEFAULT_IDENTITY_CLIENT_ID": "evil", "HTTP_PROXY": e.URL, "http_proxy": e.URL, "ALL_PROXY": e.URL,
	} {
		t.Setenv(name, value)
	}
	return e
}

// mustBeAsBefore fails if the environment was not put back, or the job's service
// was asked.
func (e *emulator) mustBeAsBefore(t *testing.T) {
	t.Helper()
	if os.Getenv("IDENTITY_ENDPOINT") != e.URL || os.Getenv("MSI_SECRET") != "evil" || os.Getenv("IDENTITY_SERVER_THUMBPRINT") != "00" {
		t.Error("the environment was not put back")
	}
	if n := e.asked.Load(); n != 0 {
		t.Errorf("the service that the environment names was asked %d times", n)
	}
}

// redirect is a transport to an emulator: the address of IMDS is fixed.
type redirect struct{ to *emulator }

func (r redirect) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Host != "169.254.169.254" {
		return nil, errors.New("not IMDS")
	}
	u, err := url.Parse(r.to.URL)
	if err != nil {
		return nil, err
	}
	clone := request.Clone(request.Context())
	clone.URL.Host = u.Host
	return http.DefaultTransport.(*http.Transport).Clone().RoundTrip(clone)
}

func TestIMDSGivesItsToken(t *testing.T) {
	env := hostile(t)
	imds := newEmulator(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.URL.Path != "/metadata/identity/oauth2/token" || r.Header.Get("Metadata") != "true" || q.Get("api-version") != "2018-02-01" || q.Get("client_id") != "the-client" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answer(w, q.Get("resource"))
	})
	c := managedidentity.Config{Source: managedidentity.SourceIMDS, Audience: audience(), ClientID: "the-client"}
	got, err := managedidentity.Token(t.Context(), c, managedidentity.Options{Transport: redirect{imds}})
	if err != nil || string(got) != theToken || imds.asked.Load() != 1 {
		t.Errorf("%q, %v, asked %d times", got, err, imds.asked.Load())
	}
	env.mustBeAsBefore(t)
}

const secret = "the-header-of-app-service-0123456789abcdef"

func appService(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Identity-Header") != secret || r.URL.Query().Get("api-version") != "2019-08-01" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		serve(w, r)
	}
}

func TestAppServiceGivesItsToken(t *testing.T) {
	env := hostile(t)
	want := audience()
	service := newEmulator(t, appService(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/msi/token" || r.URL.Query().Get("resource") != want {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answer(w, want)
	}))
	c := managedidentity.Config{Source: managedidentity.SourceAppService, Audience: want, Endpoint: service.URL + "/msi/token", Header: secret}
	got, err := managedidentity.Token(t.Context(), c, managedidentity.Options{})
	if err != nil || string(got) != theToken || service.asked.Load() != 1 {
		t.Errorf("%q, %v, asked %d times", got, err, service.asked.Load())
	}
	env.mustBeAsBefore(t)
	c.Audience, c.Header = audience(), secret+"x"
	if _, err := managedidentity.Token(t.Context(), c, managedidentity.Options{}); err == nil || !strings.Contains(err.Error(), "status 401") {
		t.Errorf("another header: %v", err)
	}
}

func TestAServiceThatMisbehavesGivesNoToken(t *testing.T) {
	env := hostile(t)
	evil := newEmulator(t, func(w http.ResponseWriter, r *http.Request) { answer(w, r.URL.Query().Get("resource")) })
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"a failure that repeats the token": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = fmt.Fprintf(w, "%s %s", theToken, secret)
		}, "status 500"},
		"no JSON":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, theToken) }, ""},
		"no token": {func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"token_type":"Bearer"}`) }, ""},
		"too much": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, strings.Repeat(" ", 1<<20), `{"access_token":"a"}`)
		}, ""},
		"a redirection":        {http.RedirectHandler(evil.URL, http.StatusTemporaryRedirect).ServeHTTP, "redirection"},
		"a broken connection":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ""},
		"a token of two lines": {func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"access_token":["a"]}`) }, ""},
	} {
		service := newEmulator(t, appService(c.serve))
		config := managedidentity.Config{Source: managedidentity.SourceAppService, Audience: audience(), Endpoint: service.URL, Header: secret}
		got, err := managedidentity.Token(t.Context(), config, managedidentity.Options{})
		if err == nil || got != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %v", name, got, err)
			continue
		}
		for _, part := range append(strings.Split(theToken, "."), secret) {
			if strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error repeats a secret: %v", name, err)
			}
		}
		if len(err.Error()) > 400 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: a long error: %q", name, err)
		}
		if service.asked.Load() != 1 {
			t.Errorf("%s: asked %d times", name, service.asked.Load())
		}
	}
	if evil.asked.Load() != 0 {
		t.Error("a redirection was followed")
	}
	env.mustBeAsBefore(t)
}

func TestACallIsBoundedInTime(t *testing.T) {
	env := hostile(t)
	ctx, cancel := context.WithCancel(t.Context())
	service := newEmulator(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	c := managedidentity.Config{Source: managedidentity.SourceAppService, Audience: audience(), Endpoint: service.URL, Header: secret}
	if _, err := managedidentity.Token(ctx, c, managedidentity.Options{}); err == nil || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("got %v", err)
	}
	// And without a word of the caller: the transport sees the deadline.
	var left time.Duration
	look := transport(func(r *http.Request) (*http.Response, error) {
		deadline, _ := r.Context().Deadline()
		left = time.Until(deadline)
		return nil, errors.New("enough")
	})
	c.Audience = audience()
	if _, err := managedidentity.Token(t.Context(), c, managedidentity.Options{Transport: look}); err == nil || left <= 0 || left > managedidentity.Timeout {
		t.Errorf("%v, %v left", err, left)
	}
	env.mustBeAsBefore(t)
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// arcTokens is where the agent of Arc puts its keys; MSAL looks nowhere else.
const arcTokens = "/var/opt/azcmagent/tokens"

// arcKey puts a key where the agent of Arc would.
func arcKey(t *testing.T, name, content string) string {
	t.Helper()
	return testenv.ArcKey(t, name, []byte(content))
}

const arcSecret = "the-key-of-the-agent-0123456789abcdefghijklmnopq"

// himds is the agent: it names a file, and wants to see what is in it.
func himds(realm string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		switch {
		case r.URL.Path != "/metadata/identity/oauth2/token" || r.Header.Get("Metadata") != "true" || q.Get("api-version") != "2020-06-01":
			w.WriteHeader(http.StatusBadRequest)
		case r.Header.Get("Authorization") == "Basic "+arcSecret:
			answer(w, q.Get("resource"))
		default:
			w.Header().Set("WWW-Authenticate", "Basic realm="+realm)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
}

func arcConfig(e *emulator) managedidentity.Config {
	return managedidentity.Config{Source: managedidentity.SourceArc, Audience: audience(), Endpoint: e.URL + "/metadata/identity/oauth2/token"}
}

func TestArcGivesItsToken(t *testing.T) {
	key := arcKey(t, "writ-test.key", arcSecret)
	env := hostile(t)
	agent := newEmulator(t, himds(key))
	got, err := managedidentity.Token(t.Context(), arcConfig(agent), managedidentity.Options{})
	if err != nil || string(got) != theToken || agent.asked.Load() != 2 {
		t.Errorf("%q, %v, asked %d times", got, err, agent.asked.Load())
	}
	env.mustBeAsBefore(t)
}

func TestAnArcAgentCannotHaveAnyFileReadOut(t *testing.T) {
	env := hostile(t)
	arcKey(t, "writ-test.key", arcSecret)
	large := arcKey(t, "writ-large.key", strings.Repeat("a", 4097))
	elsewhere := filepath.Join(t.TempDir(), "a.key")
	if err := os.WriteFile(elsewhere, []byte(arcSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, realm := range map[string]string{
		"a file elsewhere":         elsewhere,
		"a file of another ending": "/etc/shadow",
		"a path that climbs":       arcTokens + "/../../../../etc/a.key",
		"a folder below":           arcTokens + "/x/writ-test.key",
		"a file that is too large": large,
		"a file that is not there": arcTokens + "/writ-none.key",
		"nothing":                  "",
	} {
		var sent atomic.Bool
		agent := newEmulator(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				sent.Store(true)
			}
			himds(realm)(w, r)
		})
		got, err := managedidentity.Token(t.Context(), arcConfig(agent), managedidentity.Options{})
		if err == nil || got != nil || sent.Load() || agent.asked.Load() != 1 {
			t.Errorf("%s: %q, %v, sent %v, asked %d times", name, got, err, sent.Load(), agent.asked.Load())
		}
	}
	open := newEmulator(t, func(w http.ResponseWriter, r *http.Request) { answer(w, r.URL.Query().Get("resource")) })
	if got, err := managedidentity.Token(t.Context(), arcConfig(open), managedidentity.Options{}); err == nil {
		t.Errorf("an agent without a challenge: %q", got)
	}
	env.mustBeAsBefore(t)
}

func TestConfigurationsThatMeanNothingAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config managedidentity.Config
		field  string
	}{
		"nothing":                       {managedidentity.Config{}, "source"},
		"an unknown source":             {managedidentity.Config{Source: "cloud-shell", Audience: "a"}, "source"},
		"no audience":                   {managedidentity.Config{Source: "imds"}, "audience"},
		"an odd client":                 {managedidentity.Config{Source: "imds", Audience: "a", ClientID: "a b"}, "client_id"},
		"a client of Arc":               {managedidentity.Config{Source: "arc", Audience: "a", ClientID: "b"}, "client_id"},
		"an endpoint of IMDS":           {managedidentity.Config{Source: "imds", Audience: "a", Endpoint: "http://127.0.0.1"}, "endpoint"},
		"no endpoint of App Service":    {managedidentity.Config{Source: "app-service", Audience: "a"}, "endpoint"},
		"an endpoint by its name":       {managedidentity.Config{Source: "arc", Audience: "a", Endpoint: "http://localhost/"}, "endpoint"},
		"an endpoint elsewhere":         {managedidentity.Config{Source: "arc", Audience: "a", Endpoint: "http://192.0.2.1/"}, "endpoint"},
		"an endpoint with a query":      {managedidentity.Config{Source: "arc", Audience: "a", Endpoint: "http://127.0.0.1/?a"}, "endpoint"},
		"an endpoint of another scheme": {managedidentity.Config{Source: "arc", Audience: "a", Endpoint: "https://127.0.0.1/"}, "endpoint"},
		"an endpoint that is none":      {managedidentity.Config{Source: "arc", Audience: "a", Endpoint: "http://[::1"}, "endpoint"},
	} {
		if field, problem := c.config.Problem(); field != c.field || problem == "" {
			t.Errorf("%s: %q %q", name, field, problem)
		}
		if _, err := managedidentity.Token(t.Context(), c.config, managedidentity.Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := managedidentity.Token(t.Context(), managedidentity.Config{Source: "app-service", Audience: "a", Endpoint: "http://127.0.0.1"}, managedidentity.Options{}); err == nil {
		t.Error("app-service without a header")
	}
	for _, good := range []managedidentity.Config{
		{Source: "imds", Audience: "api://a"}, {Source: "arc", Audience: "a"}, {Source: "app-service", Audience: "a", Endpoint: "http://169.254.129.2:8081/msi/token"},
	} {
		if field, problem := good.Problem(); problem != "" {
			t.Errorf("%+v: %s %s", good, field, problem)
		}
	}
}

func TestCallsTakeTurns(t *testing.T) {
	env := hostile(t)
	var inside, most atomic.Int32
	service := newEmulator(t, appService(func(w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), inside.Add(1)))
		defer inside.Add(-1)
		answer(w, r.URL.Query().Get("resource"))
	}))
	failed := make(chan error)
	for range 8 {
		go func() {
			c := managedidentity.Config{Source: managedidentity.SourceAppService, Audience: audience(), Endpoint: service.URL, Header: secret}
			_, err := managedidentity.Token(context.Background(), c, managedidentity.Options{})
			failed <- err
		}()
	}
	for range 8 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if most.Load() != 1 {
		t.Errorf("%d calls at once", most.Load())
	}
	env.mustBeAsBefore(t)
}
