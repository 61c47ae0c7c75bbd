package format

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"sync"
	"time"
)

// maxMemo is how many chains are remembered. A library has few signers.
const maxMemo = 256

// chainMemo remembers which certificates led to a chain that passed every check
// and the second opinion, so that a library of scripts by one signer builds it
// once. It holds only what was a yes, and for no time at which one of the
// certificates is out of its own.
type chainMemo struct {
	mu    sync.Mutex
	known map[chainKey]knownChain
}

type chainKey [sha256.Size]byte

type knownChain struct {
	chain       []*x509.Certificate
	from, until time.Time
}

// keyOf identifies the signer's certificate and all that the signature brings
// along, byte for byte.
func keyOf(leaf *x509.Certificate, bag []*x509.Certificate) chainKey {
	h := sha256.New()
	var n [8]byte
	for _, raw := range append([]*x509.Certificate{leaf}, bag...) {
		binary.BigEndian.PutUint64(n[:], uint64(len(raw.Raw)))
		h.Write(n[:])
		h.Write(raw.Raw)
	}
	return chainKey(h.Sum(nil))
}

func (m *chainMemo) get(key chainKey, now time.Time) []*x509.Certificate {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.known[key]
	if !ok || now.Before(k.from) || now.After(k.until) {
		return nil
	}
	return k.chain
}

func (m *chainMemo) put(key chainKey, chain []*x509.Certificate) {
	k := knownChain{chain: chain, from: chain[0].NotBefore, until: chain[0].NotAfter}
	for _, c := range chain {
		if c.NotBefore.After(k.from) {
			k.from = c.NotBefore
		}
		if c.NotAfter.Before(k.until) {
			k.until = c.NotAfter
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= maxMemo {
		m.known = map[chainKey]knownChain{}
	}
	m.known[key] = k
}
