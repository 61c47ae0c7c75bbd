package signer_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/signer"
)

var stampedValue = []byte("the signature value")

// authority answers as a timestamp authority does, unless the test changes
// something.
type authority struct {
	tsa    *vectors.Identity
	stamp  vectors.Stamp
	status int64
	kind   string
	code   int
	// token and answer replace what would be sent.
	token  func(good []byte) []byte
	answer func(good []byte) []byte
	nonce  func(*big.Int) *big.Int
	asked  atomic.Int32
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	root := vectors.Issue(t, testenv.VectorTime(), "Times CA", nil)
	return &authority{
		tsa:   vectors.Issue(t, testenv.VectorTime(), "Times", root, vectors.TimeStamping),
		stamp: vectors.Stamp{At: testenv.VectorTime()}, kind: "application/timestamp-reply", code: http.StatusOK,
		nonce: func(n *big.Int) *big.Int { return n },
	}
}

func (a *authority) serve(t testing.TB) string {
	t.Helper()
	s := httptest.NewServer(a.handler(t))
	t.Cleanup(s.Close)
	return s.URL
}

func (a *authority) handler(t testing.TB) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		body, err := io.ReadAll(r.Body)
		var question struct {
			Version int
			Imprint struct {
				Algorithm asn1.RawValue
				Digest    []byte
			}
			Nonce *big.Int
			Certs bool
		}
		if err == nil {
			_, err = asn1.Unmarshal(body, &question)
		}
		if err != nil || !question.Certs || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/timestamp-query" {
			t.Errorf("odd question: %v, %+v, %s", err, question, r.Method)
			return
		}
		w.Header().Set("Content-Type", a.kind)
		w.WriteHeader(a.code)
		_, _ = w.Write(a.reply(t, question.Imprint.Digest, question.Nonce)) // the client may have gone
	})
}

func (a *authority) reply(t testing.TB, imprint []byte, nonce *big.Int) []byte {
	stamp := a.stamp
	if stamp.Imprint == nil {
		stamp.Imprint = imprint
	}
	if stamp.Info == nil {
		stamp.Info = func(fields [][]byte) [][]byte {
			if n := a.nonce(nonce); n != nil {
				fields = append(fields, vectors.BigInt(n))
			}
			return fields
		}
	}
	token := vectors.Token(t, a.tsa, nil, stamp)
	if a.token != nil {
		token = a.token(token)
	}
	status := vectors.Seq(vectors.Int(a.status))
	if a.status != 0 {
		status = vectors.Seq(vectors.Int(a.status), vectors.Seq(vectors.TLV(0x0C, []byte("not \x1b[31mtoday"))))
	}
	answer := vectors.Seq(status, token)
	if a.answer != nil {
		answer = a.answer(answer)
	}
	return answer
}

func ask(t testing.TB, o signer.TimestampOptions) ([]byte, error) {
	t.Helper()
	if o.Wait == nil {
		o.Wait = func(context.Context, time.Duration) error { return nil }
	}
	get, err := signer.NewTimestamper(o)
	if err != nil {
		t.Fatal(err)
	}
	return get(t.Context(), stampedValue)
}

func TestAGoodAnswerIsTheToken(t *testing.T) {
	t.Parallel()
	token, err := ask(t, signer.TimestampOptions{URLs: []string{newAuthority(t).serve(t)}})
	if err != nil {
		t.Fatal(err)
	}
	stamp, err := cms.ParseToken(token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stamp.Check(stampedValue); err != nil || !stamp.Time.Equal(testenv.VectorTime()) {
		t.Errorf("%v, of %s", err, stamp.Time)
	}
}

// TestAttacksOfTimestampAuthorities: whoever stands behind the URL, or between,
// gets nothing into a signature but a good timestamp.
func TestAttacksOfTimestampAuthorities(t *testing.T) {
	t.Parallel()
	other := newAuthority(t).tsa
	for name, c := range map[string]struct {
		change func(*authority)
		want   string
	}{
		"another nonce":         {func(a *authority) { a.nonce = func(n *big.Int) *big.Int { return new(big.Int).Add(n, big.NewInt(1)) } }, "nonce"},
		"no nonce":              {func(a *authority) { a.nonce = func(*big.Int) *big.Int { return nil } }, "nonce"},
		"an imprint of others":  {func(a *authority) { a.stamp.Imprint = make([]byte, 32) }, "something else"},
		"an empty imprint":      {func(a *authority) { a.stamp.Imprint = []byte{} }, "imprint of 0 bytes"},
		"an answer of text":     {func(a *authority) { a.kind = "text/html; charset=utf-8" }, "text/html"},
		"an answer of no type":  {func(a *authority) { a.kind = "" }, "no timestamp"},
		"status rejected":       {func(a *authority) { a.status = 2 }, "status 2"},
		"status waiting":        {func(a *authority) { a.status = 3 }, "status 3"},
		"an endless answer":     {func(a *authority) { a.answer = func([]byte) []byte { return make([]byte, 1<<20) } }, "more than 65536 bytes"},
		"an empty answer":       {func(a *authority) { a.answer = func([]byte) []byte { return nil } }, "cut off"},
		"a cut answer":          {func(a *authority) { a.answer = func(b []byte) []byte { return b[:len(b)-1] } }, "beyond the end"},
		"something behind":      {func(a *authority) { a.answer = func(b []byte) []byte { return append(b, 0) } }, "follow"},
		"granted without token": {func(a *authority) { a.token = func([]byte) []byte { return nil } }, "timeStampToken"},
		"a token of BER":        {func(a *authority) { a.token = func(b []byte) []byte { return vectors.BER(b, 3) } }, "DER"},
		"a signature by others": {func(a *authority) { a.stamp.Message = func(m *vectors.Message) { m.Key = other.Key } }, "does not fit"},
		"a certificate of others": {func(a *authority) {
			a.stamp.Message = func(m *vectors.Message) { m.Certificates = other.Cert.Raw }
		}, "certificate is not in the signature"},
		"no purpose": {func(a *authority) { a.tsa = vectors.Issue(t, testenv.VectorTime(), "Code", nil, vectors.CodeSigning) }, "not critical"},
		"a purpose by the way": {func(a *authority) {
			a.tsa = vectors.Issue(t, testenv.VectorTime(), "Both", nil, vectors.TimeStampingAndCodeSigning)
		}, "timestamps alone"},
		"a token by SHA-1": {func(a *authority) { a.stamp.Hash = crypto.SHA1 }, "imprint of 32 bytes"},
		"not found":        {func(a *authority) { a.code = http.StatusNotFound }, "HTTP status 404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			c.change(a)
			token, err := ask(t, signer.TimestampOptions{URLs: []string{a.serve(t)}})
			var none *signer.TimestampError
			if token != nil || !errors.As(err, &none) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%d bytes, %v; want an error with %q", len(token), err, c.want)
			}
			if n := a.asked.Load(); n != 1 {
				t.Errorf("asked %d times: an answer is an answer", n)
			}
		})
	}
}

func TestASilentAuthorityIsAskedAgainAndThenTheNextOne(t *testing.T) {
	t.Parallel()
	down, good := newAuthority(t), newAuthority(t)
	down.code = http.StatusServiceUnavailable
	var waits []time.Duration
	token, err := ask(t, signer.TimestampOptions{
		URLs: []string{down.serve(t), good.serve(t)},
		Wait: func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil },
	})
	if err != nil || token == nil {
		t.Fatal(err)
	}
	if down.asked.Load() != 3 || good.asked.Load() != 1 || len(waits) != 2 || waits[0] >= waits[1] {
		t.Errorf("asked %d and %d times, waited %v", down.asked.Load(), good.asked.Load(), waits)
	}
}

func TestABadAnswerLeadsToTheNextAuthority(t *testing.T) {
	t.Parallel()
	bad, good := newAuthority(t), newAuthority(t)
	bad.status = 2
	if _, err := ask(t, signer.TimestampOptions{URLs: []string{bad.serve(t), good.serve(t)}}); err != nil || good.asked.Load() != 1 {
		t.Errorf("%v, asked %d times", err, good.asked.Load())
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestASlowAuthorityIsLeft: the time is that of a bubble, in which no time passes while
// the second one makes its token.
func TestASlowAuthorityIsLeft(t *testing.T) {
	t.Parallel()
	good := newAuthority(t)
	synctest.Test(t, func(t *testing.T) {
		_, err := ask(t, signer.TimestampOptions{
			URLs: []string{"http://slow.example", "http://good.example"},
			Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				if r.URL.Host == "slow.example" {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
				w := httptest.NewRecorder()
				good.handler(t).ServeHTTP(w, r)
				return w.Result(), nil
			}),
		})
		if err != nil || good.asked.Load() != 1 {
			t.Errorf("%v, the second one was asked %d times", err, good.asked.Load())
		}
	})
	t.Run("and an interrupt ends the wait", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(t.Context())
		get, err := signer.NewTimestamper(signer.TimestampOptions{
			URLs: []string{"http://127.0.0.1:1"},
			Wait: func(context.Context, time.Duration) error { cancel(errInterrupt); return errInterrupt },
		})
		if err != nil {
			t.Fatal(err)
		}
		var none *signer.TimestampError
		if _, err := get(ctx, stampedValue); !errors.Is(err, errInterrupt) || errors.As(err, &none) {
			t.Errorf("%v", err)
		}
	})
}

var errInterrupt = errors.New("interrupted")

func TestRedirectsLeadToNoOtherScheme(t *testing.T) {
	t.Parallel()
	good := newAuthority(t)
	for name, c := range map[string]struct {
		code int
		to   string
		want string
	}{
		"to a file":            {http.StatusPermanentRedirect, "file:///etc/hostname", "file"},
		"to https":             {http.StatusTemporaryRedirect, "https://127.0.0.1:1/", "http to https"},
		"without the question": {http.StatusFound, good.serve(t), "drops the request"},
		"with it":              {http.StatusTemporaryRedirect, good.serve(t), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.RedirectHandler(c.to, c.code))
			defer s.Close()
			token, err := ask(t, signer.TimestampOptions{URLs: []string{s.URL}})
			if (err == nil) != (c.want == "") || err != nil && (token != nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	t.Run("nor for ever", func(t *testing.T) {
		t.Parallel()
		var url string
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, url, http.StatusTemporaryRedirect)
		}))
		defer s.Close()
		url = s.URL
		if _, err := ask(t, signer.TimestampOptions{URLs: []string{s.URL}}); err == nil || !strings.Contains(err.Error(), "too many") {
			t.Error(err)
		}
	})
}

func TestURLsOfAuthoritiesAreHTTP(t *testing.T) {
	t.Parallel()
	for _, urls := range [][]string{
		nil, {""}, {"tsa.example"}, {"ftp://tsa.example"}, {"file:///tsa"}, {"http://"}, {"http://user:secret@tsa.example"},
		{"http://good.example", "::"}, strings.Split(strings.Repeat("http://a,", 9)[:80], ","),
	} {
		if _, err := signer.NewTimestamper(signer.TimestampOptions{URLs: urls}); err == nil {
			t.Errorf("%q is accepted", urls)
		}
	}
}

func FuzzTimestampResponse(f *testing.F) {
	a := newAuthority(f)
	f.Add(a.reply(f, make([]byte, 32), big.NewInt(1)))
	a.status = 2
	f.Add(a.reply(f, make([]byte, 32), big.NewInt(1)))
	f.Fuzz(func(t *testing.T, der []byte) {
		token, err := cms.ParseTimestampResponse(der)
		if err == nil && !bytes.Contains(der, token) {
			t.Error("a token from nowhere")
		}
	})
}
