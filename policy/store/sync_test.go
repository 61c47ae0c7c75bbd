package store_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/policy/bundle"
	"github.com/runwrit/writ/policy/store"
)

// server serves files from memory, with ETags, and counts.
type server struct {
	files map[string][]byte
	sent  int
	same  int
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, ok := s.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	etag := `"` + bundleName(data) + `"`
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		s.same++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	s.sent++
	_, _ = w.Write(data)
}

func bundleName(data []byte) string {
	b, err := bundle.ReadUnverified(data)
	if err != nil {
		return "other"
	}
	return b.Digest().String()
}

func TestSyncFetchesWhatIsNewAndNothingElse(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write("settings", "name:prod\nthreshold:2\nsigner:alice key=alice.pem\nsigner:bob key=bob.pem\n")
	web := &server{files: map[string][]byte{}}
	at := httptest.NewServer(web)
	t.Cleanup(at.Close)
	put := func(epoch uint64) {
		data := p.signed(contents(epoch))
		beside, err := bundle.Countersign(data, nil, p.bob)
		if err != nil {
			t.Fatal(err)
		}
		web.files["/prod.tar.gz"], web.files["/prod.tar.gz.dsse"] = data, beside
	}
	put(1)
	source := at.URL + "/prod.tar.gz"
	p.write("settings", "name:prod\nthreshold:2\nsigner:alice key=alice.pem\nsigner:bob key=bob.pem\nsource:"+source+"\n")
	a, err := p.open().Sync(t.Context(), "")
	if err != nil || a == nil || a.Epoch != 1 || len(a.Signers) != 2 {
		t.Fatalf("%+v, %v", a, err)
	}
	if a, err = p.open().Sync(t.Context(), ""); err != nil || a != nil || web.same != 1 {
		t.Errorf("the second time: %+v, %v", a, err)
	}
	put(2)
	if a, err = p.open().Sync(t.Context(), ""); err != nil || a == nil || a.Epoch != 2 {
		t.Errorf("the new one: %+v, %v", a, err)
	}
	// The server goes back.
	put(1)
	_, err = p.open().Sync(t.Context(), "")
	mustRefuse(t, err, store.CodeRolledBack, "has the epoch 1")
	delete(web.files, "/prod.tar.gz.dsse")
	web.files["/prod.tar.gz"] = p.signed(contents(3))
	_, err = p.open().Sync(t.Context(), "")
	mustRefuse(t, err, bundle.CodeThreshold, "signed by alice")
	if p.active() != 2 {
		t.Error("another one is active")
	}
	// After a rollback the server's bundle is asked for again, and refused.
	put(2)
	web.files["/prod.tar.gz"] = nil
	if _, err = p.open().Sync(t.Context(), ""); err == nil {
		t.Error("an empty file is a bundle")
	}
}

func TestAttackTheServerLeadsAstray(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/huge":
			for range 40 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		case "/long":
			w.Header().Set("Content-Length", "99999999999")
		case "/same":
			w.WriteHeader(http.StatusNotModified)
		default:
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(plain.Close)
	for _, path := range []string{"/loop", "/file", "/huge", "/long", "/same", "/else"} {
		a, err := p.open().Sync(t.Context(), plain.URL+path)
		var failed *store.FetchError
		if !errors.As(err, &failed) || a != nil {
			t.Errorf("%s: %+v, %v", path, a, err)
		}
	}
	for _, source := range []string{"ftp://x/y", "relative.tar.gz", "https://\x7f", "http://"} {
		var failed *store.FetchError
		if _, err := p.open().Sync(t.Context(), source); !errors.As(err, &failed) {
			t.Errorf("%s: %v", source, err)
		}
	}
	_, err := p.open().Sync(t.Context(), "")
	mustFail(t, err, "no source")
}

func TestAttackRedirectFromHTTPSToHTTP(t *testing.T) {
	t.Parallel()
	from, err := http.NewRequest(http.MethodGet, "https://a.example/p", nil)
	if err != nil {
		t.Fatal(err)
	}
	for url, refused := range map[string]bool{"http://a.example/p": true, "https://b.example/p": false, "file:///p": true} {
		next, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.CheckRedirect(next, []*http.Request{from}); (err != nil) != refused {
			t.Errorf("%s: %v", url, err)
		}
	}
	plain, err := http.NewRequest(http.MethodGet, "http://a.example/p", nil)
	if err != nil {
		t.Fatal(err)
	}
	if store.CheckRedirect(from, []*http.Request{plain}) != nil || store.CheckRedirect(plain, []*http.Request{plain}) != nil {
		t.Error("a redirect on the same host is refused")
	}
	for _, url := range []string{"http://b.example/p", "https://b.example/p"} {
		next, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if store.CheckRedirect(next, []*http.Request{plain}) == nil {
			t.Errorf("%s: redirected from http to another host", url)
		}
	}
	if store.CheckRedirect(from, []*http.Request{from, from, from, from}) == nil {
		t.Error("four redirects")
	}
}

func TestSyncTakesTheHighestEpochOfAFolder(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	dir := t.TempDir()
	other := contents(9)
	other.Meta.Name = "test"
	for name, data := range map[string][]byte{"a": p.signed(contents(1)), "b": p.signed(contents(4)), "c": p.signed(contents(3)), "d": p.signed(other)} {
		if err := os.WriteFile(filepath.Join(dir, name+".tar.gz"), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if a, err := p.open().Sync(t.Context(), dir); err != nil || a.Epoch != 4 {
		t.Fatalf("%+v, %v", a, err)
	}
	if a, err := p.open().Sync(t.Context(), "file://"+dir+"/b.tar.gz"); err != nil || !a.Already {
		t.Errorf("%+v, %v", a, err)
	}
	for source, words := range map[string]string{dir + "/none.tar.gz": "no such file", t.TempDir(): "no bundle of the policy", "/dev/null": "not a regular file"} {
		var failed *store.FetchError
		if _, err := p.open().Sync(t.Context(), source); !errors.As(err, &failed) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", source, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "e.tar.gz"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.open().Sync(t.Context(), dir); err == nil {
		t.Error("a folder with what is no bundle is taken")
	}
}
