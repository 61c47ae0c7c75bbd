//go:build !linux

package confine

// NoNewPrivs fails.
func NoNewPrivs() error { return ErrNotHere }

// DropCapabilities fails.
func DropCapabilities([]Capability) error { return ErrNotHere }

// Seccomp fails.
func Seccomp() error { return ErrNotHere }

// LandlockABI fails.
func LandlockABI() (int, error) { return 0, ErrNotHere }

// LandlockFiles fails.
func LandlockFiles(Files) (int, error) { return 0, ErrNotHere }

// LandlockScope fails.
func LandlockScope() (int, error) { return 0, ErrNotHere }

// Apply fails.
func (Limits) Apply() error { return ErrNotHere }

// OOMScore fails.
func OOMScore(int) error { return ErrNotHere }

// NotDumpable fails.
func NotDumpable() error { return ErrNotHere }

// Go runs f.
func Go(f func()) { go f() }
