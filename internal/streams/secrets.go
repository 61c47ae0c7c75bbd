package streams

import (
	"slices"
	"sync"
)

// MaxSecrets is how many secrets a Secrets keeps.
const MaxSecrets = 100

// Secrets are those that become known while streams flow. It is safe for use by several
// goroutines.
type Secrets struct {
	mu   sync.Mutex
	list []string
}

// Add adds one: what is written after that does not show it. It returns false if there
// are MaxSecrets others, and this one would be shown.
func (s *Secrets) Add(secret string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case slices.Contains(s.list, secret):
		return true
	case len(s.list) == MaxSecrets:
		return false
	}
	s.list = append(s.list, secret)
	return true
}

// from are those behind the first n.
func (s *Secrets) from(n int) []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list[n:]
}
