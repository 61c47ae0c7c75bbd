package worker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/runwrit/writ/internal/cgroup"
	"github.com/runwrit/writ/internal/contain"
	"github.com/runwrit/writ/policy"
)

const (
	// leastData is the least limit for the memory of a single process, which the stage
	// has to stay below, too.
	leastData = 256 << 20
	// stageTasks is how many threads of a stage count as processes of the run's group.
	stageTasks = 32
	// stageMemory is more than a stage takes of the memory of the run's group.
	stageMemory = 32 << 20
	// groupLimit is how long it may take to end what is left in a group.
	groupLimit = 5 * time.Second
)

// joinGroup puts the stage, and with it all that it will start, into a control group of
// the run's own, where the host gives one: the limits of the profile strict then hold for
// all of the run's processes together, and what has got away from its stage is found. It
// fails only where the configuration names a group that cannot be had.
func (w *Worker) joinGroup(c *contained) error {
	parent, err := w.groups()
	if err == nil {
		var limits cgroup.Limits
		if c.profile == policy.SandboxStrict {
			l := w.sandbox.Limits.orDefault()
			limits = cgroup.Limits{Memory: uint64(l.Memory) + stageMemory, Processes: uint64(l.Processes) + stageTasks}
		}
		if c.group, err = parent.New(limits); err == nil {
			err = c.group.Add(c.process.PID())
		}
	}
	switch {
	case err == nil:
		c.by = append(c.by, fmt.Sprintf("cgroup %d", parent.Version()))
		return nil
	case w.sandbox.Cgroup != "":
		return &contain.UnavailableError{Step: groupStep, Reason: err.Error()}
	}
	_ = c.leaveGroup() // one that could not be entered is empty
	return nil
}

const groupStep = "make a control group"

// joinRest puts into the group what the first process had started before it was in there
// itself: bwrap the stage.
func (c *contained) joinRest() error {
	pids := c.process.PIDs()
	if c.group == nil || len(pids) < 2 {
		return nil
	}
	inside, err := c.group.Processes()
	for _, pid := range pids {
		if err == nil && !slices.Contains(inside, pid) {
			err = c.group.Add(pid)
		}
	}
	if err != nil {
		return &contain.UnavailableError{Step: groupStep, Reason: err.Error()}
	}
	return nil
}

// leaveGroup ends what is left in the group of the run, and removes the group.
func (c *contained) leaveGroup() error {
	if c.group == nil {
		return nil
	}
	group := c.group
	c.group = nil
	if n, err := group.Count(); err == nil && n > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), groupLimit)
		defer cancel()
		if err := group.Kill(ctx); err != nil {
			return err
		}
	}
	return group.Remove()
}
