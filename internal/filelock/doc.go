// Package filelock waits for the lock of a file or folder, which keeps out other
// processes that ask for it, and nobody else. There is none on Windows.
package filelock
