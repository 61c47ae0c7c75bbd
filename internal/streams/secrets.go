package streams

import "sync"

// MaxSecrets is how many secrets a Secrets keeps.
const MaxSecrets = 100

// Secrets are those that become known while streams flow. It is safe for use by several
// goroutines.
type Secrets struct {
	mu   sync.Mutex
	list []string
}

// Add adds one: what is written after that does not show it. More than MaxSecrets are
// left out.
func (s *Secrets) Add(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) < MaxSecrets {
		s.list = append(s.list, secret)
	}
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
