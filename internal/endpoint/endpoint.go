// Package endpoint sends requests to the services that a user has named: a
// certificate authority, a log, a server of tokens. Each is asked over https, or
// over http on this machine; nothing else is asked instead, for no redirect is
// followed. Time, size and number of tries have limits. Who does not answer is
// asked again.
//
// No word of an answer that is no good gets into an error, and no query of an
// address does: what was sent may be a secret, and a server may say it back.
//
// It does not know what the services are for, and believes none of them: whoever
// asks judges what they say.
package endpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"
)

// Limits of one request, and of how often it is made.
const (
	// Timeout is for one try, from the connection to the last byte.
	Timeout = 20 * time.Second
	// MaxAnswer is the largest answer in bytes.
	MaxAnswer = 1 << 20
	// Tries is how often a service is asked while it does not answer.
	Tries = 3
	// Wait is how long to wait before the second try; then twice that.
	Wait = 500 * time.Millisecond

	maxURL = 2048
)

// Options say how to ask. The zero value is for use.
type Options struct {
	// Transport sends the requests; nil for that of the standard library, which
	// goes by the proxy variables of the environment.
	Transport http.RoundTripper
	// Timeout is for one try; Timeout if 0.
	Timeout time.Duration
	// Wait waits before another try; nil for the clock.
	Wait func(ctx context.Context, d time.Duration) error
	// Secret says that the path of the address says nothing to others, and is left
	// out of errors too.
	Secret bool
}

// Error says that a service gave no answer, or none that is good. It holds
// nothing of what was sent or answered but a status.
type Error struct {
	// What the service is, and where.
	What, Where string
	// Status is that of the answer, 0 where there is none.
	Status int
	// Silent says that there was no answer, or that the service was not fit to give
	// one: it may do better later.
	Silent bool
	Msg    string
}

func (e *Error) Error() string { return fmt.Sprintf("%s %s: %s", e.What, e.Where, e.Msg) }

// ParseURL reads the address of a service. What is its name in errors, which never
// hold the address itself if it has a password.
func ParseURL(what, raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case len(raw) > maxURL, err != nil, u.Host == "", u.Opaque != "":
		return nil, fmt.Errorf("%s: want the address of a service, https://HOST/PATH", what)
	case u.User != nil, u.Fragment != "":
		return nil, fmt.Errorf("%s: want an address without user, password and fragment", what)
	case u.Scheme != "https" && (u.Scheme != "http" || !onThisMachine(u)):
		return nil, fmt.Errorf("%s %q: want https; http only for this machine, by the number of its address", what, u.Redacted())
	}
	return u, nil
}

// onThisMachine: a name, localhost too, is what some resolver makes of it.
func onThisMachine(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}

// Transport is an http.RoundTripper for one service.
type Transport struct {
	what    string
	url     *url.URL
	ctx     context.Context // ends the requests of those who give none
	accept  []int
	options Options
}

// New returns a transport for the service at u, which ends with ctx: for clients
// that know no context. It returns answers with a status of accept, 200 if there is
// none, and *Error for all others. Requests to other hosts fail.
func New(ctx context.Context, what string, u *url.URL, o Options, accept ...int) *Transport {
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Timeout == 0 {
		o.Timeout = Timeout
	}
	if o.Wait == nil {
		o.Wait = sleep
	}
	if len(accept) == 0 {
		accept = []int{http.StatusOK}
	}
	return &Transport{what: what, url: u, ctx: ctx, accept: accept, options: o}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// RoundTrip sends a request, again if there is no answer, and returns an answer
// that has been read to its end.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != t.url.Scheme || req.URL.Host != t.url.Host {
		closeBody(req.Body)
		return nil, t.error(0, "a request to another host")
	}
	body, err := readBody(req)
	if err != nil {
		return nil, t.error(0, "the request cannot be read")
	}
	wait := Wait
	for try := 1; ; try++ {
		res, err := t.once(req, body)
		var known *Error
		if t.ctx.Err() != nil {
			return nil, context.Cause(t.ctx)
		}
		if req.Context().Err() != nil {
			return nil, context.Cause(req.Context())
		}
		if err == nil || !errors.As(err, &known) || !known.Silent || try == Tries {
			return res, err
		}
		if err := t.options.Wait(t.ctx, wait); err != nil {
			return nil, err
		}
		wait *= 2
	}
}

// readBody takes the body of the request, to be sent several times.
func readBody(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer closeBody(req.Body)
	data, err := io.ReadAll(io.LimitReader(req.Body, MaxAnswer+1))
	if err == nil && len(data) > MaxAnswer {
		err = errors.New("too large")
	}
	return data, err
}

func closeBody(body io.Closer) {
	if body != nil {
		_ = body.Close() // read to its end, or not wanted
	}
}

func (t *Transport) once(req *http.Request, body []byte) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), t.options.Timeout)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	again := req.Clone(ctx)
	if body != nil {
		again.Body = io.NopCloser(bytes.NewReader(body))
		again.ContentLength = int64(len(body))
	}
	res, err := t.options.Transport.RoundTrip(again)
	if err != nil {
		return nil, t.silent(0, noAnswer(ctx))
	}
	defer closeBody(res.Body)
	switch {
	case res.StatusCode >= 500, res.StatusCode == http.StatusTooManyRequests, res.StatusCode == http.StatusRequestTimeout:
		return nil, t.silent(res.StatusCode, fmt.Sprintf("HTTP status %d", res.StatusCode))
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return nil, t.error(res.StatusCode, fmt.Sprintf("HTTP status %d: a redirect, and none is followed", res.StatusCode))
	case !slices.Contains(t.accept, res.StatusCode):
		return nil, t.error(res.StatusCode, fmt.Sprintf("HTTP status %d", res.StatusCode))
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, MaxAnswer+1))
	switch {
	case err != nil:
		return nil, t.silent(res.StatusCode, "the answer breaks off")
	case len(data) > MaxAnswer:
		return nil, t.error(res.StatusCode, fmt.Sprintf("an answer of more than %d bytes", MaxAnswer))
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	return res, nil
}

// noAnswer says no more of the reason: an error of the transport holds the address.
func noAnswer(ctx context.Context) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "no answer in time"
	}
	return "no answer: it cannot be reached, or it is not who it should be (TLS)"
}

func (t *Transport) silent(status int, msg string) *Error {
	e := t.error(status, msg)
	e.Silent = true
	return e
}

func (t *Transport) error(status int, msg string) *Error {
	where := t.url.Scheme + "://" + t.url.Host
	if !t.options.Secret {
		where += t.url.EscapedPath()
	}
	return &Error{What: t.what, Where: where, Status: status, Msg: msg}
}

// Refuse makes the error for an answer that is no good for another reason.
func (t *Transport) Refuse(msg string) *Error { return t.error(http.StatusOK, msg) }

// Do sends a request and returns the whole answer.
func (t *Transport) Do(req *http.Request) ([]byte, error) {
	res, err := t.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer closeBody(res.Body)
	return io.ReadAll(res.Body)
}
