//go:build !linux

package worker

func unmapped(_, _ uint32) bool { return false }
