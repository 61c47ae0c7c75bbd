package ledger_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/ledger"
)

func TestTheLastRecordsAreFoundAcrossSegments(t *testing.T) {
	t.Parallel()
	path := rotated(t, 12)
	head := whole(t, path, ledger.VerifyOptions{}).Head
	for _, n := range []uint64{0, 1, 2, 5, head.Seq, 1000} {
		var seen []uint64
		got, err := ledger.Last(t.Context(), path, n, func(r ledger.Record) error {
			seen = append(seen, r.Seq)
			return nil
		})
		if err != nil || got != head || len(seen) != int(min(n, head.Seq)) || n > 0 && seen[len(seen)-1] != head.Seq {
			t.Errorf("the last %d: %v, head %v, %v", n, seen, got, err)
		}
	}
}

func TestALedgerIsFollowedAcrossRotations(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "l")
	l, err := ledger.Open(path, ledger.Options{Now: newClock().Now, Rotation: ledger.Rotation{Size: 700}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	tick, seen, done := make(chan time.Time), make(chan uint64, 100), make(chan error, 1)
	go func() {
		done <- ledger.Follow(ctx, path, ledger.Head{}, tick, func(r ledger.Record) error {
			seen <- r.Seq
			return nil
		})
	}()
	for range 8 {
		add(t, l, ledger.TypeStart, body{})
		tick <- time.Time{}
	}
	tick <- time.Time{} // it has looked since the last record
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	close(seen)
	var got, want []uint64
	for seq := range seen {
		got = append(got, seq)
		want = append(want, uint64(len(want)+1))
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 10 {
		t.Errorf("%d records: %s", len(got), diff)
	}
}

func TestFollowingNoticesThatTheLedgerWasCut(t *testing.T) {
	t.Parallel()
	path, content := written(t, 3)
	head := verify(t, content).Head
	write(t, path, content[:len(content)/3])
	if err := ledger.Follow(t.Context(), path, head, nil, nil); err == nil {
		t.Error("it did not")
	}
}
