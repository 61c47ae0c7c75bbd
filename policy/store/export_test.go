package store

// OnStep has f called before each step of a change.
func (s *Store) OnStep(f func(name string)) { s.step = f }

// CheckRedirect is what is asked at each redirect.
var CheckRedirect = checkRedirect
