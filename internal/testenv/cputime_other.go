//go:build !linux

package testenv

import (
	"testing"
	"time"
)

// CPUTime returns how long f took: nothing here tells how long a processor worked on it.
func CPUTime(t testing.TB, f func()) time.Duration {
	t.Helper()
	start := time.Now()
	f()
	return time.Since(start)
}
