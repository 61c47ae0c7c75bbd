package endpoint_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/endpoint"
)

const secret = "the-secret-that-was-sent"

// serve starts a service and returns its address.
func serve(t *testing.T, h http.HandlerFunc) *url.URL {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	u, err := endpoint.ParseURL("service", server.URL+"/api?key="+secret)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func atOnce(context.Context, time.Duration) error { return nil }

// post sends the secret and returns the answer.
func post(ctx context.Context, t *testing.T, u *url.URL, o endpoint.Options, accept ...int) (string, error) {
	t.Helper()
	if o.Wait == nil {
		o.Wait = atOnce
	}
	req, err := http.NewRequest(http.MethodPost, u.String(), strings.NewReader(secret)) // a client that knows no context
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	data, err := endpoint.New(ctx, "service", u, o, accept...).Do(req)
	return string(data), err
}

// refused wants an error that holds nothing that was sent or said.
func refused(t *testing.T, err error, silent bool, want string) {
	t.Helper()
	var known *endpoint.Error
	if !errors.As(err, &known) || known.Silent != silent || !strings.Contains(err.Error(), want) {
		t.Fatalf("%v; want an error that says %q, silent %v", err, want, silent)
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("the error holds what was sent: %v", err)
	}
}

func TestAServiceIsAskedAndItsAnswerReturned(t *testing.T) {
	t.Parallel()
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	if got, err := post(t.Context(), t, u, endpoint.Options{}); err != nil || got != secret {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestAServiceThatDoesNotAnswerIsAskedAgain(t *testing.T) {
	t.Parallel()
	for _, status := range []int{500, 503, 429, 408} {
		var asked atomic.Int32
		u := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if asked.Add(1) < endpoint.Tries {
				w.WriteHeader(status)
				return
			}
			_, _ = w.Write(body)
		})
		if got, err := post(t.Context(), t, u, endpoint.Options{}); err != nil || got != secret || asked.Load() != endpoint.Tries {
			t.Fatalf("status %d: %q, %v, asked %d times", status, got, err, asked.Load())
		}
	}
	var waits []time.Duration
	u := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502); _, _ = io.WriteString(w, secret) })
	_, err := post(t.Context(), t, u, endpoint.Options{Wait: func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }})
	refused(t, err, true, "HTTP status 502")
	if len(waits) != endpoint.Tries-1 || waits[1] != 2*waits[0] {
		t.Errorf("waited %v", waits)
	}
}

func TestARefusalIsAnAnswer(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	u := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(403)
		_, _ = io.WriteString(w, "not with "+secret)
	})
	_, err := post(t.Context(), t, u, endpoint.Options{})
	refused(t, err, false, "HTTP status 403")
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
	_, err = post(t.Context(), t, u, endpoint.Options{}, 201, 403)
	if err != nil {
		t.Errorf("a status that is wanted: %v", err)
	}
}

func TestAttackARedirectIsNotFollowedAndCarriesNoSecret(t *testing.T) {
	t.Parallel()
	var other atomic.Int32
	thief := serve(t, func(http.ResponseWriter, *http.Request) { other.Add(1) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		u := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief.String(), status) })
		_, err := post(t.Context(), t, u, endpoint.Options{})
		refused(t, err, false, "redirect")
	}
	if other.Load() != 0 {
		t.Error("the other host was asked")
	}
}

func TestAttackARequestForAnotherHostIsNotSent(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	other := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	here := serve(t, func(http.ResponseWriter, *http.Request) {})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, other.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = endpoint.New(t.Context(), "service", here, endpoint.Options{Wait: atOnce}).Do(req)
	refused(t, err, false, "another host")
	if asked.Load() != 0 {
		t.Error("the other host was asked")
	}
}

func TestAttackAnAnswerWithoutEndIsCut(t *testing.T) {
	t.Parallel()
	u := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 64<<10)
		for range 4 * endpoint.MaxAnswer / len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	_, err := post(t.Context(), t, u, endpoint.Options{})
	refused(t, err, false, "more than")
}

func TestAttackASlowServiceIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		select { // it has begun to answer, and says no more
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	_, err := post(t.Context(), t, u, endpoint.Options{Timeout: 20 * time.Millisecond})
	refused(t, err, true, "breaks off")
}

// TestACancelledCommandEndsARequestThatKnowsNoContext: the client of Fulcio makes
// such requests.
func TestACancelledCommandEndsARequestThatKnowsNoContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	u := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body) // the server sees an end of the connection only behind it
		cancel()
		<-r.Context().Done()
	})
	if _, err := post(ctx, t, u, endpoint.Options{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestNobodyThereIsSilence(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	u, err := endpoint.ParseURL("service", server.URL+"/?"+secret)
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	_, err = post(t.Context(), t, u, endpoint.Options{})
	refused(t, err, true, "no answer")
}

func TestASecretAddressIsNotNamed(t *testing.T) {
	t.Parallel()
	u := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) })
	u.Path = "/" + secret
	_, err := post(t.Context(), t, u, endpoint.Options{Secret: true})
	refused(t, err, false, u.Host)
}

func TestOnlyHTTPSOrThisMachineIsAsked(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://fulcio.example", "https://fulcio.example:8443/path?q=1", "http://127.0.0.1:8080", "http://[::1]/x"} {
		if _, err := endpoint.ParseURL("service", good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "fulcio.example", "http://fulcio.example", "http://localhost:1", "ftp://127.0.0.1", "file:///etc/passwd", "https:", "https:fulcio.example", "https://", "http://10.0.0.1",
		"https://user@fulcio.example", "https://a:" + secret + "@fulcio.example", "http://a:" + secret + "@10.0.0.1", "https://fulcio.example/#x", "https://fulcio.example/" + strings.Repeat("a", 3000), "https://a b", "http://127.0.0.1.example/",
	} {
		_, err := endpoint.ParseURL("service", bad)
		if err == nil {
			t.Errorf("%.100q is accepted", bad)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds the password: %v", err)
		}
	}
}
