package signer

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/runwrit/writ/internal/cms"
)

// TimestampFunc returns an RFC 3161 token over value, in DER. No token and no
// error mean that the signature is to go without.
type TimestampFunc func(ctx context.Context, value []byte) ([]byte, error)

// Limits of a request to a timestamp authority.
const (
	// maxTimestampAnswer is the largest answer in bytes.
	maxTimestampAnswer = 64 << 10
	// timestampTimeout is for one request, from the connection to the last byte.
	timestampTimeout = 20 * time.Second
	// timestampTries is how often one authority is asked while it does not answer.
	timestampTries = 3
	// timestampWait is how long to wait before the second try; then twice that.
	timestampWait = 500 * time.Millisecond
	// maxTimestampURLs is how many authorities may be named.
	maxTimestampURLs = 8
)

// TimestampOptions say which timestamp authorities to ask, and how.
type TimestampOptions struct {
	// URLs are those of the authorities, http or https; the first that gives a
	// good answer counts.
	URLs []string
	// Transport sends the requests; nil for that of the standard library, which
	// goes by the proxy variables of the environment.
	Transport http.RoundTripper
	// Timeout is for one request; 20 seconds if 0.
	Timeout time.Duration
	// Wait waits before another try; nil for the clock.
	Wait func(ctx context.Context, d time.Duration) error
}

// TimestampError says that no timestamp authority gave a good answer; nothing
// was signed.
type TimestampError struct{ Err error }

func (e *TimestampError) Error() string { return "no timestamp: " + e.Err.Error() }

// Unwrap returns what each authority did, joined.
func (e *TimestampError) Unwrap() error { return e.Err }

// timestampClient asks timestamp authorities.
type timestampClient struct {
	urls []string
	http *http.Client
	wait func(ctx context.Context, d time.Duration) error
}

// NewTimestamper returns a function that asks the authorities, one after the
// other. It believes none: a token must be over the value, carry the nonce, and
// be signed by a certificate for timestamps that came with it. Whose certificate
// that is, it does not judge. The function fails with *TimestampError;
// NewTimestamper fails if a URL is none.
func NewTimestamper(o TimestampOptions) (TimestampFunc, error) {
	if len(o.URLs) == 0 || len(o.URLs) > maxTimestampURLs {
		return nil, fmt.Errorf("%d timestamp authorities: want 1 to %d", len(o.URLs), maxTimestampURLs)
	}
	for _, raw := range o.URLs {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			return nil, fmt.Errorf("timestamp authority %q: want a URL of http or https, without a password", raw)
		}
	}
	c := &timestampClient{urls: o.URLs, wait: o.Wait}
	if c.wait == nil {
		c.wait = pause
	}
	c.http = &http.Client{Transport: o.Transport, Timeout: o.Timeout, CheckRedirect: sameScheme}
	if o.Timeout == 0 {
		c.http.Timeout = timestampTimeout
	}
	return c.timestamp, nil
}

// sameScheme follows few redirects, none to another scheme, and none that turns
// the request into one without a body.
func sameScheme(req *http.Request, via []*http.Request) error {
	switch first := via[0]; {
	case len(via) > 3:
		return errors.New("too many redirects")
	case req.URL.Scheme != first.URL.Scheme:
		return fmt.Errorf("a redirect from %s to %s", first.URL.Scheme, req.URL.Scheme)
	case req.Method != http.MethodPost:
		return errors.New("a redirect that drops the request")
	}
	return nil
}

func (c *timestampClient) timestamp(ctx context.Context, value []byte) ([]byte, error) {
	var failures []error
	for _, u := range c.urls {
		token, err := c.ask(ctx, u, value)
		if err == nil {
			return token, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("ask for a timestamp: %w", context.Cause(ctx))
		}
		failures = append(failures, fmt.Errorf("%s: %w", u, err))
	}
	return nil, &TimestampError{errors.Join(failures...)}
}

// silentError says that an authority did not answer, and might if it is asked
// again.
type silentError struct{ err error }

func (e *silentError) Error() string { return e.err.Error() }

// ask tries one authority again while it is silent; an answer, good or bad, is
// its answer.
func (c *timestampClient) ask(ctx context.Context, to string, value []byte) ([]byte, error) {
	wait := timestampWait
	for try := 1; ; try++ {
		token, err := c.askOnce(ctx, to, value)
		var silent *silentError
		if !errors.As(err, &silent) || try == timestampTries {
			return token, err
		}
		if err := c.wait(ctx, wait); err != nil {
			return nil, err
		}
		wait *= 2
	}
}

func (c *timestampClient) askOnce(ctx context.Context, to string, value []byte) ([]byte, error) {
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, err
	}
	question, err := cms.TimestampRequest(value, nonce)
	if err != nil {
		return nil, err
	}
	answer, err := c.post(ctx, to, question)
	if err != nil {
		return nil, err
	}
	token, err := cms.ParseTimestampResponse(answer)
	if err != nil {
		return nil, err
	}
	stamp, err := cms.ParseToken(token)
	if err != nil {
		return nil, fmt.Errorf("the answer is no timestamp: %w", err)
	}
	if stamp.Nonce == nil || stamp.Nonce.Cmp(nonce) != 0 {
		return nil, errors.New("the answer is to another question: it has not the nonce that was sent")
	}
	if _, err := stamp.Check(value); err != nil {
		return nil, fmt.Errorf("the answer is not a good timestamp: %w", err)
	}
	return token, nil
}

func (c *timestampClient) post(ctx context.Context, to string, question []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	req.Header.Set("Accept", "application/timestamp-reply")
	res, err := c.http.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // the URL is named by the caller
		}
		return nil, &silentError{err}
	}
	defer func() { _ = res.Body.Close() }() // read to its end, or not wanted
	switch {
	case res.StatusCode >= 500, res.StatusCode == http.StatusTooManyRequests:
		return nil, &silentError{fmt.Errorf("HTTP status %d", res.StatusCode)}
	case res.StatusCode != http.StatusOK && res.StatusCode != http.StatusCreated: // Sigstore's authority answers 201
		return nil, fmt.Errorf("HTTP status %d", res.StatusCode)
	}
	if kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || kind != "application/timestamp-reply" {
		return nil, fmt.Errorf("an answer of type %q, which is no timestamp", res.Header.Get("Content-Type"))
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxTimestampAnswer+1))
	switch {
	case err != nil:
		return nil, &silentError{err}
	case len(answer) > maxTimestampAnswer:
		return nil, fmt.Errorf("an answer of more than %d bytes", maxTimestampAnswer)
	}
	return answer, nil
}
