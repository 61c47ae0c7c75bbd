package store_test

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/bundle"
	"github.com/runwrit/writ/policy/store"
)

// Each test of this file is named after an attack.

// TestAttackAnOlderProgramIsPutBack: min_tool was fulfilled when the policy was
// activated, and is not any more.
func TestAttackAnOlderProgramIsPutBack(t *testing.T) {
	t.Parallel()
	for name, grants := range map[string][]byte{"a small policy": []byte(grantsYAML), "a large one": many(600)} {
		p := newPlace(t)
		c := contents(1)
		c.Source.Grants, c.Meta.MinTool = grants, "1.4"
		if _, err := p.open().Activate(t.Context(), p.signed(c), nil); err != nil {
			t.Fatal(err)
		}
		if p.active() != 1 {
			t.Errorf("%s: not active", name)
		}
		for _, tool := range []string{"v1.3.9", "v1.4.0-rc1", ""} {
			p.tool = tool
			_, err := p.open().Load()
			mustFail(t, err, "wants writ 1.4")
		}
	}
}

// TestAttackRollbackOfALargePolicy: what comes back is whole, and as fast.
func TestAttackRollbackOfALargePolicy(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"", "grants.index"} {
		p := newPlace(t)
		c := contents(1)
		c.Source.Grants = many(600)
		if _, err := p.open().Activate(t.Context(), p.signed(c), nil); err != nil {
			t.Fatal(err)
		}
		found, err := filepath.Glob(filepath.Join(p.dir, "state/generations/*", broken))
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		p.activate(2)
		if broken != "" {
			if err := os.Truncate(found[0], 5000); err != nil {
				t.Fatal(err)
			}
		}
		a, err := p.open().Rollback(t.Context(), "why not")
		if err != nil {
			t.Fatal(err)
		}
		if a.Index == nil || p.active() != 1 || p.state().Active.Index == nil {
			t.Errorf("%q was broken: without an index: %+v", broken, a)
		}
	}
}

// TestAttackTwoSyncsAtOnce: what they remember of the server must not end as half
// of one and half of the other.
func TestAttackTwoSyncsAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	data := p.signed(contents(1))
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".dsse") {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data)
	}))
	t.Cleanup(web.Close)
	var wg sync.WaitGroup
	stores := make([]*store.Store, 8)
	for i := range stores {
		stores[i] = p.open()
	}
	for _, s := range stores {
		wg.Go(func() {
			a, err := s.Sync(t.Context(), web.URL+"/p")
			if err != nil || len(a.Notes) > 1 {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
	wg.Wait()
	if _, err := p.open().Sync(t.Context(), web.URL+"/p"); err != nil {
		t.Error(err)
	}
}

// TestAttackMemoryOfTheServerIsDamaged: what is remembered of a server saves time,
// and no more; without it there must be no way to get stuck.
func TestAttackMemoryOfTheServerIsDamaged(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	data := p.signed(contents(1))
	web := &server{files: map[string][]byte{"/p": data}}
	at := httptest.NewServer(web)
	t.Cleanup(at.Close)
	for _, text := range []string{"", "", "{", `{"version":9}`, `{"version":1,"source":"x"}`} {
		if text != "" {
			p.write("state/sync.json", text)
		}
		if _, err := p.open().Sync(t.Context(), at.URL+"/p"); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestAttackETagThatCannotBeSent: a server, once, must not be able to keep a
// machine from asking ever again.
func TestAttackETagThatCannotBeSent(t *testing.T) {
	t.Parallel()
	for _, etag := range []string{"\x01", "\x7f", "\"\xff\xfe\"", strings.Repeat("e", 300), "a, b", "*", "\t"} {
		p := newPlace(t)
		data := string(p.signed(contents(1)))
		at := rawServer(t, func(path string) string {
			if strings.HasSuffix(path, ".dsse") {
				return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
			}
			return "HTTP/1.1 200 OK\r\nConnection: close\r\nETag: " + etag + "\r\n\r\n" + data
		})
		_, first := p.open().Sync(t.Context(), at+"/p")
		_, second := p.open().Sync(t.Context(), at+"/p")
		if (first == nil) != (second == nil) {
			t.Errorf("ETag %q: first %v, then %v", etag, first, second)
		}
	}
}

// TestAttackAnswersThatAreNoHTTP sends what no server of ours would.
func TestAttackAnswersThatAreNoHTTP(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for name, answer := range map[string]string{
		"headers without end":    "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 1<<17),
		"a header without end":   "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", 1<<19),
		"a longer body":          "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\nConnection: close\r\n\r\nx",
		"two lengths":            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
		"a negative length":      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nxx",
		"a 304 out of the blue":  "HTTP/1.1 304 Not Modified\r\nETag: x\r\nConnection: close\r\n\r\n",
		"a 206":                  "HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\nx",
		"a 204":                  "HTTP/1.1 204 No Content\r\n\r\n",
		"interim answers":        strings.Repeat("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n", 1<<14),
		"a chunk without end":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
		"compressed all the way": "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n\x1f\x8b",
	} {
		at := rawServer(t, func(string) string { return answer })
		if a, err := p.open().Sync(t.Context(), at+"/p"); err == nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// TestAttackPasswordOfTheSourceIsShown: a source may hold one; errors end in logs.
func TestAttackPasswordOfTheSourceIsShown(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	at := strings.TrimPrefix(web.URL, "http://")
	for _, source := range []string{"http://joe:geheim@" + at + "/p", "http://joe:geheim@127.0.0.1:1/p", "http://joe:%geheim@x/p", "http://joe:geheim@\x7f/p"} {
		_, err := p.open().Sync(t.Context(), source)
		var failed *store.FetchError
		if !errors.As(err, &failed) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("got %v", err)
		}
	}
}

// rawServer answers each request with bytes.
func rawServer(t *testing.T, answer func(path string) string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = c.Write([]byte(answer(r.URL.Path)))
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// TestAttackAnotherBundleInThePlaceOfThePrevious: it is signed, and was never the
// one before.
func TestAttackAnotherBundleInThePlaceOfThePrevious(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.activate(1)
	found, err := filepath.Glob(filepath.Join(p.dir, "state/generations/*/bundle.tar.gz"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	p.activate(2)
	if err := os.WriteFile(found[0], p.signed(contents(9)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = p.open().Rollback(t.Context(), "why not")
	mustFail(t, err, "not what was activated")
	if p.active() != 2 {
		t.Error("another one is active")
	}
}

// TestAttackNoRoomForTheIndex: what is half written goes, and what was active stays.
func TestAttackNoRoomForTheIndex(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.activate(1)
	c := contents(2)
	c.Source.Grants = many(600)
	s := p.open()
	s.OnStep(func(name string) {
		if name == "write the index" { // something is there already
			p.write("state/generations/.new/grants.index", "x")
		}
	})
	_, err := s.Activate(t.Context(), p.signed(c), nil)
	mustFail(t, err, "index")
	left, err := os.ReadDir(filepath.Join(p.dir, "state/generations"))
	if err != nil || len(left) != 1 || p.active() != 1 {
		t.Errorf("%v, %v are left", left, err)
	}
}

// TestAttackFilesOfTheActivePolicyAreSwapped: each is whole, and none is what was
// activated.
func TestAttackFilesOfTheActivePolicyAreSwapped(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rules       int
		file, words string
		edit        func(p *place, before string) string
	}{
		"an unsigned bundle of the same name, epoch and times": {0, "state/generations/*/bundle.tar.gz", "not what was activated", func(p *place, _ string) string {
			other := contents(1)
			other.Source.Grants = []byte(grantsYAML + "# more\n")
			data, err := bundle.Build(other)
			if err != nil {
				p.t.Fatal(err)
			}
			return string(data)
		}},
		"Rego in the excerpt": {600, "state/generations/*/excerpt.tar", "excerpt.tar is not what was activated", func(_ *place, before string) string {
			return strings.Replace(before, "warn contains", "warm contains", 1)
		}},
		"a later end in the state":          {0, "state/state.json", "of other times", later},
		"a later end of a policy with rows": {600, "state/state.json", "of other times", later},
	} {
		p := newPlace(t)
		own := contents(1)
		own.Source.Rego = []policy.File{{Name: "x.rego", Data: []byte("package writ.user\n\nwarn contains \"x\"\n")}}
		if c.rules > 0 {
			own.Source.Grants = many(c.rules)
		}
		if _, err := p.open().Activate(t.Context(), p.signed(own), nil); err != nil {
			t.Fatal(err)
		}
		found, err := filepath.Glob(filepath.Join(p.dir, c.file))
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		before, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		after := c.edit(p, string(before))
		if after == string(before) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if err := os.WriteFile(found[0], []byte(after), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = p.open().Load()
		t.Log(name)
		mustFail(t, err, c.words)
	}
}

func later(_ *place, before string) string {
	return strings.Replace(before, `"expires": "2026`, `"expires": "2036`, 1)
}

// TestAttackOthersMayWriteTheIndexOrRenameTheStore are two places that only one line
// each looks at.
func TestAttackOthersMayWriteTheIndexOrRenameTheStore(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("skipped: there are no permission bits here")
	}
	p := newPlace(t)
	c := contents(1)
	c.Source.Grants = many(600)
	if _, err := p.open().Activate(t.Context(), p.signed(c), nil); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(p.dir, "state/generations/*/grants.index"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if err := os.Chmod(found[0], 0o666); err != nil {
		t.Fatal(err)
	}
	_, err = p.open().Load()
	mustFail(t, err, "others may write")
	if err := os.Chmod(filepath.Dir(p.dir), 0o777); err != nil {
		t.Fatal(err)
	}
	_, err = store.Open(p.dir, store.Options{Guarded: true})
	mustFail(t, err, "others may rename")
}

// TestAttackPolicyOfAnotherName: the settings of a machine were changed to another
// policy, and the one that is active still decides.
func TestAttackPolicyOfAnotherName(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.activate(1)
	p.write("settings", "name:test\nsigner:alice key=alice.pem\n")
	_, err := p.open().Load()
	mustFail(t, err, `the active policy is "prod", and the settings want "test"`)
}

// TestAttackTrustEpochsAtOnce: of many that are seen at once the highest stays.
func TestAttackTrustEpochsAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var wg sync.WaitGroup
	for epoch := uint64(40); epoch > 0; epoch-- {
		s := p.open()
		wg.Go(func() {
			if _, err := s.SeeTrustEpoch(t.Context(), epoch); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if high, err := p.open().TrustEpoch(); err != nil || high != 40 {
		t.Errorf("%d is the highest: %v", high, err)
	}
}

// TestAttackOneETagForEverything: what one source had says nothing of another.
func TestAttackOneETagForEverything(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	files := map[string][]byte{"/a": p.signed(contents(1)), "/b": p.signed(contents(2))}
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := files[r.URL.Path]
		w.Header().Set("ETag", `"v"`)
		switch {
		case !ok:
			http.NotFound(w, r)
		case r.Header.Get("If-None-Match") == `"v"`:
			w.WriteHeader(http.StatusNotModified)
		default:
			_, _ = w.Write(data)
		}
	}))
	t.Cleanup(at.Close)
	if a, err := p.open().Sync(t.Context(), at.URL+"/a"); err != nil || a == nil || a.Epoch != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	if a, err := p.open().Sync(t.Context(), at.URL+"/b"); err != nil || a == nil || a.Epoch != 2 {
		t.Fatalf("the other source: %+v, %v", a, err)
	}
	// What is active is not what this source had any more.
	p.activate(3)
	files["/b"] = p.signed(contents(4))
	if a, err := p.open().Sync(t.Context(), at.URL+"/b"); err != nil || a == nil || a.Epoch != 4 {
		t.Errorf("after another activation: %+v, %v", a, err)
	}
}
