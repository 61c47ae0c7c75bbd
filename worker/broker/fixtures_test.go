package broker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runwrit/writ/worker/broker"
)

const (
	app      = "cc334b87-fdbe-4996-aa3f-5bad192a18a6" // of the function in seed 004
	azure    = "https://management.azure.com"
	theToken = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhIn0.c2lnbmF0dXJl"
	secretIn = "/run/job/token.key"
)

// host is a source of tokens, and a clock.
type host struct {
	mu    sync.Mutex
	now   time.Time
	asked []string
	life  time.Duration // of a token
	err   error
	empty bool
	wait  chan struct{} // if not nil, until it is closed
}

func newHost() *host {
	return &host{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), life: time.Hour}
}

func (h *host) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *host) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// change changes it while it is in use.
func (h *host) change(f func(h *host)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(h)
}

// questions are those that it was asked.
func (h *host) questions() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.asked)
}

func (h *host) Token(ctx context.Context, audience string) ([]byte, time.Time, error) {
	h.mu.Lock()
	wait := h.wait
	h.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, time.Time{}, ctx.Err()
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, audience)
	if h.err != nil {
		return nil, time.Time{}, h.err
	}
	if h.empty {
		return nil, h.now.Add(h.life), nil
	}
	return fmt.Appendf(nil, "%s-%d", theToken, len(h.asked)), h.now.Add(h.life), nil
}

// book takes what is recorded.
type book struct {
	mu      sync.Mutex
	records []broker.Decision
	err     error
}

func (b *book) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func (b *book) record(_ context.Context, d broker.Decision) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	b.records = append(b.records, d)
	return nil
}

// run is an endpoint that may give tokens for app and azure.
type run struct {
	*broker.Endpoint
	t    testing.TB
	host *host
	book *book
	env  map[string]string
}

func open(t testing.TB, p broker.Protocol, change ...func(*broker.Options)) *run {
	t.Helper()
	h, b := newHost(), &book{}
	o := broker.Options{Source: h, Protocol: p, Now: h.Now}
	for _, f := range change {
		f(&o)
	}
	made, err := broker.New(o)
	if err != nil {
		t.Fatal(err)
	}
	e, err := made.Open(t.Context(), broker.Job{Audiences: []string{app, azure}, Record: b.record, SecretFile: secretIn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	r := &run{e, t, h, b, map[string]string{}}
	for _, entry := range e.Env() {
		name, value, _ := strings.Cut(entry, "=")
		r.env[name] = value
	}
	return r
}

func (r *run) address() string {
	r.t.Helper()
	u, err := url.Parse(r.env["IDENTITY_ENDPOINT"])
	if err != nil {
		r.t.Fatal(err)
	}
	return u.Host
}

// head is a request that gets a token for app, in which each pair of change replaces
// the first text by the second.
func (r *run) head(change ...string) string {
	h := "GET /msi/token?resource=" + app + "&api-version=2019-08-01 HTTP/1.1\r\nHost: " + r.address() + "\r\nX-IDENTITY-HEADER: " + string(r.Secret()) + "\r\nAccept: */*\r\n\r\n"
	if r.env["IMDS_ENDPOINT"] != "" {
		h = "GET /metadata/identity/oauth2/token?api-version=2020-06-01&resource=" + app + " HTTP/1.1\r\nHost: " + r.address() +
			"\r\nMetadata: true\r\nAuthorization: Basic " + string(r.Secret()) + "\r\n\r\n"
	}
	for i := 0; i < len(change); i += 2 {
		if !strings.Contains(h, change[i]) {
			r.t.Fatalf("%q is not in the request", change[i])
		}
		h = strings.Replace(h, change[i], change[i+1], 1)
	}
	return h
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

// send sends raw bytes, and reads the response, which must be one of JSON.
func (r *run) send(raw string) reply {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.address())
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	go func() { _, _ = io.WriteString(conn, raw) }() // the answer may come before all was sent
	return r.receive(conn)
}

func (r *run) receive(conn net.Conn) reply {
	r.t.Helper()
	all, err := io.ReadAll(io.LimitReader(conn, 64<<10))
	if err != nil {
		r.t.Fatal(err)
	}
	return r.parse(all)
}

func (r *run) parse(all []byte) reply {
	r.t.Helper()
	head, body, _ := strings.Cut(string(all), "\r\n\r\n")
	got := reply{text: string(all), header: http.Header{}}
	lines := strings.Split(head, "\r\n")
	if _, err := fmt.Sscanf(lines[0], "HTTP/1.1 %d", &got.status); err != nil {
		r.t.Fatalf("no response: %q", all)
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		got.header.Add(name, value)
	}
	if err := json.Unmarshal([]byte(body), &got.body); err != nil {
		r.t.Fatalf("%v: %q", err, all)
	}
	return got
}

// code is the stable word of a refusal, in whichever form.
func (p reply) code() string {
	for _, key := range []string{"message", "error_description"} {
		if text, ok := p.body[key].(string); ok {
			word, _, _ := strings.Cut(text, ":")
			return word
		}
	}
	return ""
}

// mustRefuse fails unless raw is refused like this, without a token, a question to the
// source, or a word of the secret.
func (r *run) mustRefuse(raw string, status int, code string) {
	r.t.Helper()
	r.refused(r.send(raw), status, code)
}

func (r *run) refused(got reply, status int, code string) {
	r.t.Helper()
	if got.status != status || got.code() != code {
		r.t.Errorf("status %d, code %q, want %d, %q: %s", got.status, got.code(), status, code, got.text)
	}
	if strings.Contains(got.text, theToken) || strings.Contains(got.text, string(r.Secret())) {
		r.t.Errorf("a secret was told: %s", got.text)
	}
	if asked := r.host.questions(); len(asked) > 0 {
		r.t.Errorf("the source was asked: %q", asked)
	}
}

// mustGive fails unless raw gets a token.
func (r *run) mustGive(raw string) string {
	r.t.Helper()
	got := r.send(raw)
	token, _ := got.body["access_token"].(string)
	if got.status != 200 || !strings.HasPrefix(token, theToken) {
		r.t.Fatalf("no token: %s", got.text)
	}
	return token
}

func (r *run) records() []broker.Decision {
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	return append([]broker.Decision{}, r.book.records...)
}

var errDisk = errors.New("the disk is full")
