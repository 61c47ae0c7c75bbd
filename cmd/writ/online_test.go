package main

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/runwrit/writ/internal/newkeys"
)

// authority is a server on loopback that answers for one authority.
type authority struct {
	key            *newkeys.X509Key
	revoked        atomic.Bool
	lists, queries atomic.Int32
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	switch {
	case r.URL.Path == "/moved.crl":
		http.Redirect(w, r, "/list.crl", http.StatusFound)
	case r.URL.Path == "/round.crl":
		http.Redirect(w, r, "/round.crl", http.StatusFound)
	case r.URL.Path == "/elsewhere.crl":
		http.Redirect(w, r, "http://"+strings.Replace(r.Host, "127.0.0.1", "localhost", 1)+"/list.crl", http.StatusFound)
	case r.URL.Path == "/away.crl":
		w.Header().Set("Location", "file:///etc/passwd")
		w.WriteHeader(http.StatusFound)
	case r.URL.Path == "/large.crl":
		_, _ = w.Write(make([]byte, maxFetchSize+2))
	case r.URL.Path == "/list.crl" && r.Method == http.MethodGet:
		a.lists.Add(1)
		list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)}
		if a.revoked.Load() {
			list.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: a.key.Leaf.SerialNumber, RevocationTime: now.Add(-time.Minute)}}
		}
		der, err := x509.CreateRevocationList(rand.Reader, list, a.key.CA, a.key.CAKey)
		if err == nil {
			_, _ = w.Write(der)
		}
	case r.URL.Path == "/ocsp" && r.Method == http.MethodPost && r.Header.Get("Content-Type") == "application/ocsp-request":
		a.queries.Add(1)
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		q, err := ocsp.ParseRequest(body.Bytes())
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answer := ocsp.Response{SerialNumber: q.SerialNumber, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)}
		if a.revoked.Load() {
			answer.Status, answer.RevokedAt = ocsp.Revoked, now.Add(-time.Minute)
		}
		der, err := ocsp.CreateResponse(a.key.CA, a.key.CA, answer, a.key.CAKey)
		if err == nil {
			_, _ = w.Write(der)
		}
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// online makes a server, and a folder with a script signed by a certificate that
// names it, and a store that requires answers.
func online(t *testing.T, ocspPaths, crlPaths []string) (a *authority, dir string) {
	t.Helper()
	a = &authority{}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	key, err := newkeys.X509(newkeys.X509Options{Subject: "Alice", NotBefore: time.Now().Add(-time.Hour), Edit: func(c *x509.Certificate) {
		for _, p := range ocspPaths {
			c.OCSPServer = append(c.OCSPServer, server.URL+p)
		}
		for _, p := range crlPaths {
			c.CRLDistributionPoints = append(c.CRLDistributionPoints, strings.ReplaceAll(server.URL+p, server.URL+"ldap:", "ldap:"))
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	a.key = key
	dir = t.TempDir()
	for path, data := range map[string][]byte{
		"trust/s/x509-ca/ca.pem": key.CAPEM, "trust/s/settings": []byte("revocation:require\n"),
		"key.pem": key.KeyPEM, "chain.pem": key.ChainPEM(), "lib/one.ps1": []byte("1+1\r\n"), "lib/two.ps1": []byte("2+2\r\n"),
	} {
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, out := writ(t, "sign", "--key", filepath.Join(dir, "key.pem"), "--cert", filepath.Join(dir, "chain.pem"), filepath.Join(dir, "lib")); code != exitYes {
		t.Fatal(out)
	}
	return a, dir
}

func writ(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	var b bytes.Buffer
	code = execute(t.Context(), &app{stdin: strings.NewReader(""), stdout: &b, stderr: &b, now: time.Now}, args)
	return code, b.String()
}

func TestOnlyOnlineAsksTheAuthority(t *testing.T) {
	t.Parallel()
	a, dir := online(t, []string{"/ocsp"}, []string{"/list.crl"})
	trust, lib := filepath.Join(dir, "trust"), filepath.Join(dir, "lib")
	for _, command := range []string{"verify", "audit"} {
		if code, out := writ(t, command, "--trust", trust, lib); code != exitNo || !strings.Contains(out, "untrusted") {
			t.Errorf("%s without --online: %d\n%s", command, code, out)
		}
	}
	if a.queries.Load()+a.lists.Load() != 0 {
		t.Fatal("somebody was asked without --online")
	}
	for _, command := range []string{"verify", "audit"} {
		before := a.queries.Load()
		if code, out := writ(t, command, "--online", "--trust", trust, lib); code != exitYes {
			t.Errorf("%s --online: %d\n%s", command, code, out)
		}
		if a.queries.Load() != before+1 || a.lists.Load() != 0 {
			t.Errorf("%s asked %d times by OCSP and %d times for a list; want once by OCSP", command, a.queries.Load()-before, a.lists.Load())
		}
	}
	a.revoked.Store(true)
	if code, out := writ(t, "verify", "--online", "--trust", trust, lib); code != exitNo || !strings.Contains(out, "revoked") {
		t.Errorf("revoked: %d\n%s", code, out)
	}
	if err := os.WriteFile(filepath.Join(trust, "s", "settings"), []byte("revocation:off"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := a.queries.Load()
	if code, out := writ(t, "verify", "--online", "--trust", trust, lib); code != exitYes || a.queries.Load() != before {
		t.Errorf("off: %d\n%s", code, out)
	}
}

func TestFetchingIsBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ocsp, crl []string
		code      int
		lists     int32
	}{
		"a list":                            {nil, []string{"/list.crl"}, exitYes, 1},
		"OCSP does not answer, a list does": {[]string{"/gone"}, []string{"/list.crl"}, exitYes, 1},
		"redirected":                        {nil, []string{"/moved.crl"}, exitYes, 1},
		"redirected for ever":               {nil, []string{"/round.crl"}, exitNo, 0},
		"redirected to another host":        {nil, []string{"/elsewhere.crl"}, exitNo, 0},
		"redirected to a file":              {nil, []string{"/away.crl"}, exitNo, 0},
		"too large":                         {nil, []string{"/large.crl"}, exitNo, 0},
		"nothing there":                     {[]string{"/gone"}, []string{"/gone"}, exitNo, 0},
		"another scheme":                    {nil, []string{"ldap://x/list.crl"}, exitNo, 0},
		"behind too many":                   {nil, []string{"/1", "/2", "/3", "/list.crl"}, exitNo, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, dir := online(t, c.ocsp, c.crl)
			code, out := writ(t, "verify", "--online", "--trust", filepath.Join(dir, "trust"), filepath.Join(dir, "lib", "one.ps1"), filepath.Join(dir, "lib", "two.ps1"))
			if code != c.code || a.lists.Load() != c.lists {
				t.Errorf("exit %d, %d lists\n%s", code, a.lists.Load(), out)
			}
		})
	}
}
