package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Limits of a fetch.
const (
	// fetchTimeout bounds a fetch with all that belongs to it.
	fetchTimeout = 60 * time.Second
	maxRedirects = 3
	maxETag      = 256
	// maxHeader is the largest header of an answer.
	maxHeader = 64 << 10
)

// FetchError says that a bundle could not be got.
type FetchError struct {
	Source string
	Err    error
}

func (e *FetchError) Error() string { return fmt.Sprintf("fetch %q: %v", e.Source, e.Err) }

// Unwrap returns the cause.
func (e *FetchError) Unwrap() error { return e.Err }

// shown is a source for messages: without the name and password that a URL may
// hold, whether it can be read as one or not.
func shown(source string) string {
	scheme, rest, ok := strings.Cut(source, "://")
	at := strings.LastIndexByte(rest, '@')
	if !ok || at < 0 {
		return source
	}
	return scheme + "://" + rest[at+1:]
}

// missingError says that the server answers that there is nothing.
type missingError struct{}

func (*missingError) Error() string { return "the server has no such file" }

// fetched is what a server gave.
type fetched struct {
	data []byte
	etag string
}

// fetch gets what is at url; nil if it is still what the server called by that
// ETag. What comes is not trusted: signatures decide, so that http will do where
// the operator said so, but nobody on the way may lead from https to http.
func fetch(ctx context.Context, url, etag string, limit int) (*fetched, error) {
	fail := func(err error) (*fetched, error) { return nil, &FetchError{shown(url), err} }
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fail(errors.New("the URL cannot be used"))
	}
	request.Header.Set("User-Agent", "writ")
	// A bundle is compressed already: what is transferred is what is there.
	request.Header.Set("Accept-Encoding", "identity")
	if etag != "" {
		request.Header.Set("If-None-Match", etag)
	}
	client := newClient()
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = response.Body.Close() }() // it was read for all that it is worth
	switch {
	case response.StatusCode == http.StatusNotModified && etag != "":
		return nil, nil
	case response.StatusCode == http.StatusNotFound:
		return fail(&missingError{})
	case response.StatusCode != http.StatusOK:
		return fail(fmt.Errorf("the server answers %d", response.StatusCode))
	case response.ContentLength > int64(limit):
		return fail(fmt.Errorf("%d bytes, the limit is %d", response.ContentLength, limit))
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, int64(limit)+1))
	switch {
	case err != nil:
		return fail(err)
	case len(data) > limit:
		return fail(fmt.Errorf("more than %d bytes", limit))
	}
	got := &fetched{data: data, etag: response.Header.Get("ETag")}
	if len(got.etag) > maxETag {
		got.etag = ""
	}
	return got, nil
}

// newClient asks as the system does by default, over a proxy that the environment
// names, too.
func newClient() *http.Client {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxHeader}
	return &http.Client{Transport: transport, CheckRedirect: checkRedirect}
}

func checkRedirect(next *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("redirected more than %d times", maxRedirects)
	case next.URL.Scheme != "https" && (next.URL.Scheme != "http" || via[len(via)-1].URL.Scheme == "https"):
		return errors.New("redirected from https to something else")
	case via[0].URL.Scheme == "http" && next.URL.Hostname() != via[0].URL.Hostname():
		// Whoever is on the way of an answer over http must not send this machine to
		// hosts that only it can reach.
		return errors.New("redirected from http to another host")
	}
	return nil
}
