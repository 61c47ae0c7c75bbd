package witness_test

import (
	"crypto"
	"errors"
	"io"
	"testing"

	"github.com/runwrit/writ/internal/witness"
)

type key struct{ sign func() ([]byte, error) }

func (key) Public() crypto.PublicKey { return "public" }

func (k key) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return k.sign() }

func TestTheLastAnswerIsRemembered(t *testing.T) {
	t.Parallel()
	refused := errors.New("the HSM says no")
	answer := refused
	w := witness.New(key{func() ([]byte, error) { return []byte("s"), answer }})
	if w.Failed() != nil || w.Public() != "public" {
		t.Errorf("before it was asked: %v, %v", w.Failed(), w.Public())
	}
	if _, err := w.Sign(nil, nil, crypto.SHA256); !errors.Is(err, refused) || !errors.Is(w.Failed(), refused) {
		t.Errorf("got %v, remembered %v", err, w.Failed())
	}
	answer = nil
	if s, err := w.Sign(nil, nil, crypto.SHA256); err != nil || string(s) != "s" || w.Failed() != nil {
		t.Errorf("got %q, %v, remembered %v", s, err, w.Failed())
	}
}

func TestAPanicOfTheKeyIsAnError(t *testing.T) {
	t.Parallel()
	w := witness.New(key{func() ([]byte, error) { panic("no connection") }})
	if s, err := w.Sign(nil, nil, crypto.SHA256); s != nil || err == nil || w.Failed() == nil {
		t.Errorf("got %q, %v, remembered %v", s, err, w.Failed())
	}
}
