package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// Last calls visit with the last n records that the ledger at path has now, and
// returns its head, from which Follow goes on. It takes the first of them for
// true and checks the chain from there; an incomplete last line is left out. It
// reads little more than those records.
func Last(ctx context.Context, path string, n uint64, visit func(Record) error) (Head, error) {
	last, err := lastSeq(ctx, path)
	if err != nil {
		return Head{}, err
	}
	from := uint64(1)
	if last > n {
		from = last - n + 1
	}
	if n == 0 {
		from = max(last, 1)
		visit = func(Record) error { return nil }
	}
	s, err := scanFrom(ctx, path, from, visit)
	return s.Head, err
}

func lastSeq(ctx context.Context, path string) (uint64, error) {
	r, err := OpenReader(ctx, path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }() // opened for reading only
	t, err := readTailOf(r.active, r.size)
	if err != nil {
		return 0, fmt.Errorf("read ledger %q: %w", path, err)
	}
	return t.last.Seq, nil
}

// FollowEvery is how often Follow looks for new records.
const FollowEvery = 250 * time.Millisecond

// Follow calls visit with each record that comes after the head, also across
// rotations, until ctx ends; then it returns nil. It looks whenever tick says so.
// It fails as Scan does, also if the record of the head is not there any more.
func Follow(ctx context.Context, path string, after Head, tick <-chan time.Time, visit func(Record) error) error {
	var seen os.FileInfo
	for {
		now, err := os.Stat(path)
		if err != nil {
			return err
		}
		if seen == nil || !os.SameFile(seen, now) || seen.Size() != now.Size() {
			if after, err = scanAfter(ctx, path, after, visit); err != nil {
				if ctx.Err() != nil {
					return nil //nolint:nilerr // it was told to end
				}
				return err
			}
			seen = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		}
	}
}

// scanAfter visits what has come after the head, and returns the new one.
func scanAfter(ctx context.Context, path string, after Head, visit func(Record) error) (Head, error) {
	r, err := OpenReader(ctx, path)
	if err != nil {
		return after, err
	}
	defer func() { _ = r.Close() }() // opened for reading only
	if err := r.From(after.Seq); err != nil {
		return after, fmt.Errorf("read ledger %q: %w", path, err)
	}
	s, err := Scan(r, VerifyOptions{After: after}, visit)
	if notYet(err, path) || after.Seq == 0 && isProblem(err, ProblemEmpty) {
		err = nil
	}
	return s.Head, err
}

// notYet says that the ledger ends with a line that has no end: the next append
// repairs that.
func notYet(err error, path string) bool {
	var damage *ChainError
	return errors.As(err, &damage) && damage.Problem == ProblemIncomplete && damage.File == path
}

func isProblem(err error, p Problem) bool {
	var damage *ChainError
	return errors.As(err, &damage) && damage.Problem == p
}
