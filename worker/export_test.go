package worker

import "time"

// TimeIsUpWith has the time of every run be up when c is closed or delivers, and not
// before: what a runbook does until then takes longer on a busy machine.
func (w *Worker) TimeIsUpWith(c <-chan time.Time) {
	w.timer = func(time.Duration) (<-chan time.Time, func() bool) { return c, func() bool { return true } }
}
