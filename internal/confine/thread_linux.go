package confine

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Go runs f on a thread of its own, which ends with f and is not the main thread: that
// one never ends, and stands for the whole process where the kernel asks whether a
// signal to the process is allowed.
func Go(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return // and the thread, still locked, ends
		}
		// While this goroutine holds the main thread, the next one gets another.
		started := make(chan struct{})
		Go(func() {
			close(started)
			f()
		})
		<-started
		runtime.UnlockOSThread()
	}()
}
