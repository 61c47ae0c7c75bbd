package signer

import (
	"context"
	"errors"
	"testing"
)

func TestPanicOfALibraryIsAnError(t *testing.T) {
	t.Parallel()
	key, err := withinTime(t.Context(), "a key", func() (*Key, error) { panic("a library's word") })
	if key != nil || err == nil || err.Error() != `key "a key": the key file is malformed` {
		t.Errorf("%v, %v", key, err)
	}
}

func TestParserThatDoesNotComeBackIsLeftBehind(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	key, err := withinTime(ctx, "a key", func() (*Key, error) {
		cancel()
		select {}
	})
	if key != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", key, err)
	}
}
