//go:build linux

package ledger_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/runwrit/writ/ledger"
)

// TestKillsAtRandomPointsLoseNothingThatWasConfirmed kills two processes that
// append to one ledger, sign every second record and begin a new file every few,
// each at a random moment. WRIT_KILLS says how many processes are killed, "make
// soak-ledger" kills 1,000.
func TestKillsAtRandomPointsLoseNothingThatWasConfirmed(t *testing.T) {
	t.Parallel()
	kills := 12
	if s := os.Getenv("WRIT_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatalf("WRIT_KILLS: %v", err)
		}
	}
	random := rand.New(rand.NewPCG(6, 2026)) // the same moments each time, as far as a machine repeats them
	var seen struct{ repairs, segments, next, torn, pairs int }
	for done := 0; done < kills; {
		path := filepath.Join(t.TempDir(), "l")
		for round := 0; round < 10 && done < kills; round++ {
			confirmed := killTwo(t, path, random)
			done += 2
			if left(path + ".next") {
				seen.next++
			}
			if unfinished(t, path) {
				seen.pairs++
			}
			if afterKill(t, path, confirmed, random) {
				seen.torn++
			}
		}
		// The next start repairs what is torn, and goes on.
		l, err := ledger.Open(path, ledger.Options{Checkpoints: ledger.Checkpoints{Signer: signer(t), Every: 1}})
		if err != nil {
			t.Fatal(err)
		}
		add(t, l, ledger.TypeEnd, body{})
		_ = l.Close()
		s := whole(t, path, ledger.VerifyOptions{Checkpoints: notesOf(t, path)})
		seen.repairs += int(s.Repairs)
		seen.segments += s.Segments
	}
	t.Logf("%d processes killed: %d segments, %d incomplete last lines or checkpoints, %d repairs, %d rotations that had made the next file, %d that had named the old one twice",
		kills, seen.segments, seen.torn, seen.repairs, seen.next, seen.pairs)
}

// killTwo starts two appenders, kills each after some records and a moment more,
// and returns the highest number that one of them was told is written.
func killTwo(t *testing.T, path string, random *rand.Rand) uint64 {
	t.Helper()
	var confirmed [2]uint64
	var wg sync.WaitGroup
	for i := range confirmed {
		records, moment := random.IntN(12), time.Duration(random.IntN(1500))*time.Microsecond
		cmd := appenderCommand(t, path, "many")
		cmd.Env = append(cmd.Env, envSegments+"=1")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { confirmed[i] = killAfter(t, cmd, bufio.NewScanner(out), records, moment) })
	}
	wg.Wait()
	return max(confirmed[0], confirmed[1])
}

func killAfter(t *testing.T, cmd *exec.Cmd, in *bufio.Scanner, records int, moment time.Duration) (confirmed uint64) {
	for n := 0; in.Scan(); n++ {
		if _, err := fmt.Sscan(in.Text(), &confirmed); err != nil {
			t.Errorf("the appender says %q", in.Text())
		}
		if n == records {
			// The moment of a kill is what is tested: nothing waits for it.
			time.AfterFunc(moment, func() { _ = cmd.Process.Kill() })
		}
	}
	_ = cmd.Wait() // it was killed
	return confirmed
}

// afterKill looks at what a kill has left, before anything repairs it: all that
// was confirmed is there, and at most the last line or the last checkpoint is
// incomplete. Where the last record was not confirmed, it then takes away what a
// kill in the middle of its write would not have left: a kernel seldom stops
// there by itself.
func afterKill(t *testing.T, path string, confirmed uint64, random *rand.Rand) (torn bool) {
	t.Helper()
	r, err := ledger.OpenReader(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var o ledger.VerifyOptions
	if notes := r.Checkpoints(); notes != nil {
		c, err := ledger.NewCheckpointReader("notes", notes, verifierOf(t))
		if err != nil {
			t.Fatal(err)
		}
		o.Checkpoints = append(o.Checkpoints, c)
	}
	var last int
	s, err := ledger.Scan(r, o, func(rec ledger.Record) error {
		last = len(rec.Line())
		if rec.Type == ledger.TypeSegment {
			last = 0 // on disk before its file had the name
		}
		return nil
	})
	var ce *ledger.ChainError
	if err != nil && (!errors.As(err, &ce) || ce.Problem != ledger.ProblemIncomplete && ce.Problem != ledger.ProblemUnsigned) {
		t.Fatalf("after a kill: %v", err)
	}
	if s.Head.Seq < confirmed {
		t.Errorf("%d was confirmed, the head is %d", confirmed, s.Head.Seq)
	}
	if ce == nil && last > 0 && s.Head.Seq > confirmed && s.Head.Seq > s.Signed {
		size := int64(len(read(t, path)))
		if err := os.Truncate(path, size-1-random.Int64N(int64(last-1))); err != nil {
			t.Fatal(err)
		}
		return true
	}
	return ce != nil && ce.Problem == ledger.ProblemIncomplete
}

func left(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// unfinished says that the file at the path has the name of a closed segment, too.
func unfinished(t *testing.T, path string) bool {
	t.Helper()
	files := closedFiles(t, path)
	if len(files) == 0 {
		return false
	}
	active, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	last, err := os.Stat(files[len(files)-1])
	return err == nil && os.SameFile(active, last)
}

// A line that was cut anywhere is dropped, and the drop recorded.
func TestALineCutAnywhereIsRepaired(t *testing.T) {
	t.Parallel()
	path, content := written(t, 2)
	first := 1 + len(content[:len(content)/2])
	for first < len(content) && content[first-1] != '\n' {
		first++
	}
	clock := newClock()
	clock.move(time.Hour)
	for cut := first + 1; cut < len(content); cut += 3 {
		write(t, path, content[:cut])
		l := open(t, path, clock.Now)
		add(t, l, ledger.TypeStart, body{})
		_ = l.Close()
		if s := whole(t, path, ledger.VerifyOptions{}); s.Repairs != 1 || s.Records != 3 {
			t.Errorf("cut at %d: %+v", cut, s)
		}
	}
}
