package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/cgroup"
	"github.com/runwrit/writ/internal/contain"
	"github.com/runwrit/writ/policy"
)

// contained is a run whose containment stands, and whose interpreter has not been
// started yet.
type contained struct {
	// profile is the one that was used, by what it is held together and confined.
	profile string
	by      []string
	place   *place
	tokens  *tokens
	process *contain.Process
	group   *cgroup.Group // nil for none
	out     *output
	// warnings are for the result.
	warnings []string
}

// contain makes the containment of the first profile that the policy lists and the host
// can give. An error says that nothing was started, and that nothing is left.
func (w *Worker) contain(ctx context.Context, p *plan, job Job) (*contained, error) {
	var refused []string
	for _, profile := range p.sandbox {
		c, err := w.containBy(ctx, p, job, profile)
		var unavailable *contain.UnavailableError
		if !errors.As(err, &unavailable) {
			return c, err
		}
		refused = append(refused, fmt.Sprintf("%s: %s", profile, unavailable))
	}
	return nil, &ObligationError{"sandbox", strings.Join(p.sandbox, ", "), "this host cannot give it: " + strings.Join(refused, "; ")}
}

// containBy makes the containment of one profile. For standard it takes bwrap where it can.
func (w *Worker) containBy(ctx context.Context, p *plan, job Job, profile string) (*contained, error) {
	switch profile {
	case policy.SandboxStrict:
		return w.containIn(ctx, p, job, method{profile: profile, form: contain.Namespaces})
	case policy.SandboxNone:
		return w.containIn(ctx, p, job, method{profile: profile, form: contain.Subreaper})
	}
	wrapped, err := w.inBubblewrap(ctx, p, job)
	var unavailable *contain.UnavailableError
	if wrapped != nil || err != nil && !errors.As(err, &unavailable) {
		return wrapped, err
	}
	c, problem := w.containIn(ctx, p, job, method{profile: profile, form: contain.Subreaper})
	if problem == nil && err != nil {
		c.warnings = append(c.warnings, "bwrap could not be used, and the run was without namespaces: "+err.Error())
	}
	return c, problem
}

// method is a profile and the form of containment for it.
type method struct {
	profile string
	form    contain.Form
	bwrap   string // its path, for contain.Bubblewrap
}

func (w *Worker) containIn(ctx context.Context, p *plan, job Job, m method) (*contained, error) {
	place, err := w.place(p, m.form)
	if err != nil {
		return nil, err
	}
	c := &contained{profile: m.profile, place: place}
	if c.tokens, err = w.openTokens(ctx, p, place); err != nil {
		return nil, errors.Join(err, place.remove())
	}
	spec := w.spec(p, c, m)
	if job.Dir != "" {
		spec.Dir = job.Dir
	}
	if c.out, err = newOutput(p, job); err != nil {
		c.tokens.close()
		return nil, errors.Join(err, place.remove())
	}
	if err = checkDir(m.form, spec.Dir); err == nil {
		err = w.start(ctx, c, spec, job)
	}
	if err != nil {
		c.out.abandon()
		c.tokens.close()
		var unfit *contain.SpecError
		if errors.As(err, &unfit) {
			err = &StartError{"prepare the process", err}
		}
		return nil, errors.Join(err, c.leaveGroup(), place.remove())
	}
	c.by = append(c.process.By(), c.by...)
	c.out.copy()
	return c, nil
}

// start starts the stage and waits until the containment stands. Meanwhile the stage
// comes into its control group, for which the kernel takes its time.
func (w *Worker) start(ctx context.Context, c *contained, spec contain.Spec, job Job) (err error) {
	extra, _ := c.place.extra()
	c.process, err = contain.Begin(ctx, w.stage.program, spec, contain.IO{
		Stdin: job.Stdin, Stdout: c.out.stdout.child, Stderr: c.out.stderr.child, Content: c.place.content, Extra: extra, Script: c.place.wrapped,
	})
	if err != nil {
		return err
	}
	if err := w.joinGroup(c); err != nil {
		c.process.Close()
		return err
	}
	if err := c.process.Ready(ctx); err != nil {
		return err
	}
	if err := c.joinRest(); err != nil {
		c.process.Close()
		return err
	}
	return nil
}

// checkDir refuses what is no working directory. What there is in namespaces, only the
// stage can see.
func checkDir(form contain.Form, dir string) error {
	if !filepath.IsAbs(dir) {
		return &StartError{"prepare the process", fmt.Errorf("working directory %q: want the absolute path of a folder", dir)}
	}
	if form != contain.Subreaper {
		return nil
	}
	if info, err := os.Stat(dir); err != nil {
		return &StartError{"prepare the process", err}
	} else if !info.IsDir() {
		return &StartError{"prepare the process", fmt.Errorf("working directory %q: it is no folder", dir)}
	}
	return nil
}

// spec says how the run is started and contained. Nothing of it is parsed by a shell.
func (w *Worker) spec(p *plan, c *contained, m method) contain.Spec {
	_, document := c.place.extra()
	arguments := slices.Concat([]string{p.interpreter}, p.options, []string{c.place.script}, p.arguments)
	s := contain.Spec{
		Form: m.form, Program: filepath.Clean(p.interpreter), Arguments: arguments,
		Environment: environment(p, c.place.home, c.place.temp, document), Dir: c.place.home,
		NoNewPrivs: c.profile != policy.SandboxNone, Scratch: c.place.folder,
	}
	if p.user.other {
		s.User = &contain.User{UID: p.user.uid, GID: p.user.gid, Groups: p.user.groups}
	}
	if m.form == contain.Bubblewrap {
		s.Scratch, s.Wrap = "", c.place.wrap(p, m.bwrap) // there the stage does not see the folder
	}
	if c.profile == policy.SandboxStrict {
		l := w.sandbox.Limits.orDefault()
		s.Read, s.Write = w.sandbox.Read, w.sandbox.Write
		s.Limits = contain.Limits{
			Processes: uint64(l.Processes), FileSize: uint64(l.FileSize), OpenFiles: uint64(l.OpenFiles),
			CPU: uint64(l.CPU / time.Second), Temp: uint64(l.Temp), Data: uint64(max(l.Memory, leastData)),
		}
	}
	return s
}

// close ends what there is of the run, and removes what it left.
func (c *contained) close() error {
	c.process.Close()
	c.out.abandon()
	c.tokens.close()
	return errors.Join(c.leaveGroup(), c.place.remove())
}

// launch starts the interpreter, waits for its end and fills in res. An error says
// that nothing was started.
func (c *contained) launch(ctx context.Context, p *plan, job Job, res *Result) error {
	if err := c.process.Go(); err != nil {
		return startFailure(p, c.profile, err)
	}
	res.Started = true
	job.OnState(Running)
	limit, stop := p.timer(p.timeout)
	defer stop()
	res.Warnings = append(res.Warnings, c.warnings...)
	status := c.supervise(ctx, limit, p.grace, res)
	res.Status, res.Signal = status.Code, status.Signal
	if status.Lost {
		res.Warnings = append(res.Warnings, "the stage that held the run together was killed, by the runbook, from outside, or because memory was short: how the runbook ended is not known")
	}
	if status.Left > 0 {
		res.Warnings = append(res.Warnings, fmt.Sprintf("%d processes that the runbook has started could not be ended", status.Left))
	}
	c.out.finish(ctx, limit, res)
	return nil
}

// startFailure tells an interpreter that cannot be executed from other failures.
func startFailure(p *plan, profile string, err error) error {
	for _, cause := range []error{unix.ENOENT, unix.EACCES, unix.ENOEXEC, unix.ENOTDIR} {
		if errors.Is(err, cause) {
			reason := "it cannot be executed: " + cause.Error()
			if profile == policy.SandboxStrict {
				reason += " (the profile strict shows it only what lies in the folders of the system, and what worker.yaml lists under run.sandbox.read)"
			}
			return &InterpreterError{p.kind, p.interpreter, reason}
		}
	}
	return &StartError{"start the interpreter", err}
}

// supervise waits for the end of the run, and brings it about when the time is up or
// ctx ends: SIGTERM to the interpreter's process group, and after the grace the end of
// everything.
func (c *contained) supervise(ctx context.Context, limit <-chan time.Time, grace time.Duration, res *Result) contain.Status {
	ended := make(chan contain.Status, 1)
	go func() { ended <- c.process.Wait() }()
	canceled := ctx.Done()
	var kill <-chan time.Time
	for {
		select {
		case status := <-ended:
			return status
		case <-limit:
			res.TimedOut = true
		case <-canceled:
			canceled, res.Canceled = nil, true
		case <-kill:
			c.process.Kill()
			continue
		}
		if kill == nil {
			c.process.Signal(syscall.SIGTERM)
			timer := time.NewTimer(grace)
			defer timer.Stop()
			kill = timer.C
		}
	}
}
