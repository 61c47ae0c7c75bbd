package format_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// TestASignatureGetsItsTimestampOrIsNotMade hands the signer tokens that no
// honest client would.
func TestASignatureGetsItsTimestampOrIsNotMade(t *testing.T) {
	t.Parallel()
	now := testenv.VectorTime()
	k := newKey(t, newkeys.X509Options{})
	tsa := vectors.Issue(t, now, "Times", nil, vectors.TimeStamping)
	rb, err := runbook.Parse("job.ps1", stampedScript)
	if err != nil {
		t.Fatal(err)
	}
	stampAt := func(at time.Time) signer.TimestampFunc {
		return func(_ context.Context, value []byte) ([]byte, error) {
			return vectors.Token(t, tsa, value, vectors.Stamp{At: at}), nil
		}
	}
	down := &signer.TimestampError{Err: errors.New("nobody there")}
	for name, c := range map[string]struct {
		get             signer.TimestampFunc
		signed, stamped bool
	}{
		"a good one":                 {stampAt(now), true, true},
		"none, and that is fine":     {func(context.Context, []byte) ([]byte, error) { return nil, nil }, true, false},
		"none":                       {func(context.Context, []byte) ([]byte, error) { return nil, down }, false, false},
		"garbage":                    {func(context.Context, []byte) ([]byte, error) { return []byte{5, 0}, nil }, false, false},
		"from before the key's time": {stampAt(k.Leaf.NotBefore.Add(-time.Second)), false, false},
		"from the future":            {stampAt(now.Add(6 * time.Minute)), false, false},
		"of another value": {func(context.Context, []byte) ([]byte, error) {
			return vectors.Token(t, tsa, []byte("other"), vectors.Stamp{At: now}), nil
		}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &format.Authenticode{Now: func() time.Time { return now }, Timestamp: c.get}
			signed, err := a.Sign(t.Context(), rb, signerKey(t, k))
			var none *signer.TimestampError
			if (err == nil) != c.signed || err != nil && (signed != nil || !errors.As(err, &none)) {
				t.Fatalf("%d bytes, %v", len(signed), err)
			}
			if err != nil {
				return
			}
			out, err := runbook.Parse("job.ps1", signed)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.CheckStamped(out); (err == nil) != c.stamped {
				t.Errorf("stamped: %v", err)
			}
			r := inspect(t, timeVerifier(t, now, k.CAPEM, tsa.PEM()), "job.ps1", signed)
			if r.Verdict != verifier.Valid || (r.Signatures[0].SignedAtSource == verifier.TimeTSA) != c.stamped {
				t.Errorf("%s, time from %q", r.Verdict, r.Signatures[0].SignedAtSource)
			}
		})
	}
}
