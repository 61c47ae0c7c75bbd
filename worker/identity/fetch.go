package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/runwrit/writ/internal/guard"
)

// How long fetched keys are used. After keysFresh they are fetched anew; if that
// fails they are used until keysLife. For a key that is not among them they are
// fetched anew too, but not again and again: a token can name any key.
const (
	keysFresh    = time.Hour
	keysLife     = 24 * time.Hour
	keysInterval = time.Minute
	fetchTime    = 5 * time.Second
)

// keyAddress fetches keys, and keeps them.
type keyAddress struct {
	url     string
	client  *http.Client
	cache   string // a file; "" for none
	guarded bool

	mu      sync.Mutex
	keys    []publicKey
	fetched time.Time
	// failed is why the last try gave none, at the time tried; nil if it did.
	failed error
	tried  time.Time
}

func newKeyAddress(address string, o IssuersOptions) *keyAddress {
	a := &keyAddress{url: address, guarded: o.Guarded, client: &http.Client{
		Transport: o.Transport, Timeout: fetchTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("a redirection is not followed") },
	}}
	if o.Transport == nil {
		// No proxy: the environment that names one is the caller's.
		a.client.Transport = &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}
	}
	if o.Cache != "" {
		sum := sha256.Sum256([]byte(address))
		a.cache = filepath.Join(o.Cache, "jwks-"+hex.EncodeToString(sum[:16])+".json")
	}
	return a
}

func (a *keyAddress) find(ctx context.Context, id string, now time.Time) ([]publicKey, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keys == nil {
		a.keys, a.fetched = a.cached()
	}
	age := now.Sub(a.fetched)
	if age < 0 { // the clock was put back: nobody knows how old they are
		a.keys = nil
	}
	found := named(a.keys, id)
	if a.keys != nil && (age < keysFresh && len(found) > 0 || age < keysInterval) {
		return found, nil
	}
	a.renew(ctx, now)
	switch {
	case a.failed == nil:
		return named(a.keys, id), nil
	case a.keys != nil && age < keysLife:
		return found, nil
	}
	return nil, a.failed
}

// renew fetches the keys, unless that failed just now: whoever may hand in tokens
// must not make the gate wait each time.
func (a *keyAddress) renew(ctx context.Context, now time.Time) {
	if since := now.Sub(a.tried); a.failed != nil && since >= 0 && since < keysInterval {
		return
	}
	data, err := a.fetch(ctx)
	if err != nil && ctx.Err() != nil { // that says nothing about the address
		a.failed = err
		return
	}
	a.tried, a.failed = now, err
	if err != nil {
		return
	}
	keys, err := parseSet(data)
	if a.failed = err; err == nil {
		a.keys, a.fetched = keys, now
		a.keep(data)
	}
}

func (a *keyAddress) fetch(ctx context.Context) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // read to its end or given up
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch %s: status %d", a.url, response.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxSetSize+1))
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", a.url, err)
	}
	return data, nil
}

// cachedSet is the file of a cache.
type cachedSet struct {
	URL     string    `json:"url"`
	Fetched time.Time `json:"fetched"`
	Set     string    `json:"set"`
}

// cached are the keys in the file; none if there is anything wrong with it.
func (a *keyAddress) cached() ([]publicKey, time.Time) {
	if a.cache == "" {
		return nil, time.Time{}
	}
	data, err := guard.ReadFile(a.cache, 2*maxSetSize, a.guarded)
	if err != nil {
		return nil, time.Time{}
	}
	var c cachedSet
	if err := json.Unmarshal(data, &c); err != nil || c.URL != a.url {
		return nil, time.Time{}
	}
	keys, err := parseSet([]byte(c.Set))
	if err != nil {
		return nil, time.Time{}
	}
	return keys, c.Fetched
}

// keep writes the file. Without it the keys are fetched once more.
func (a *keyAddress) keep(set []byte) {
	if a.cache == "" {
		return
	}
	data, err := json.Marshal(cachedSet{a.url, a.fetched.UTC(), string(set)})
	if err != nil {
		return
	}
	file, err := os.CreateTemp(filepath.Dir(a.cache), ".jwks-*")
	if err != nil {
		return
	}
	_, err = file.Write(data)
	if closed := file.Close(); err == nil && closed == nil && os.Rename(file.Name(), a.cache) == nil {
		return
	}
	_ = os.Remove(file.Name()) // half a file
}
