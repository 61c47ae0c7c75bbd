package policy_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/runwrit/writ/policy"
)

// TestAnUnusedGoroutineOfAnEngineEnds: a bubble in which a goroutine is left waiting
// is a failure.
func TestAnUnusedGoroutineOfAnEngineEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, runs := policy.NewEvaluators(), 0
		for range 2 {
			p.Run(func() { runs++ })
			synctest.Wait()
		}
		time.Sleep(policy.EvaluatorLife) // of the bubble: no time passes
		if runs != 2 {
			t.Errorf("%d runs, want 2", runs)
		}
	})
}
