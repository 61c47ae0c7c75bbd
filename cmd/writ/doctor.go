package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/abilities"
	"github.com/runwrit/writ/internal/doctor"
)

type doctorOptions struct {
	output             output
	root, config, user string
	failOn             string
}

func newDoctorCmd(a *app) *cobra.Command {
	o := &doctorOptions{}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is open on a host that runs runbooks, and say what mends it",
		Long: `Audit a host on which runbooks run: what an old Hybrid Runbook Worker of Azure
Automation left open there, and whether what writ relies on belongs to those whom
it must belong to. Each finding has a severity, says why it matters and where it
is, and gives the command that mends it.

Use it before writ takes the place of an old worker, after writ is set up, and
from then on in whatever watches the host. It reads and never writes, and asks no
network; to see what sandboxes this host has it starts a program that does
nothing in them. Run it as root: what it cannot read is said, and is no pass.
With --root it looks at the mounted image of a host.

Exit codes: 0 nothing as bad as --fail-on was found, 1 something was, 2 the
question is malformed, 3 something could not be looked at.`,
		Example: `  writ doctor
  writ doctor --root /mnt/image --fail-on high -o json`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runDoctor(cmd.Context(), o) },
	}
	o.output.addTo(cmd)
	f := cmd.Flags()
	f.StringVar(&o.root, "root", "/", "look at the host whose files are in this `folder`")
	f.StringVar(&o.config, "config", "", "the worker's configuration, a `file` of that host (by default "+doctor.DefaultConfig+" if it is there)")
	f.StringVar(&o.user, "user", "", "`account` that writ runs as, which may own its files beside root (by default the account writ if the host has it, or else, of this host, your own)")
	f.StringVar(&o.failOn, "fail-on", "low", "the least `severity` that is exit code 1: "+strings.Join(doctor.Severities(), ", "))
	return cmd
}

func (a *app) runDoctor(ctx context.Context, o *doctorOptions) error {
	r, err := o.output.renderer()
	if err != nil {
		return err
	}
	threshold, err := doctor.ParseSeverity(o.failOn)
	switch {
	case err != nil:
		return usagef("--fail-on: %w", err)
	case o.root == "":
		return usagef("--root needs the name of a folder")
	}
	options := doctor.Options{Root: o.root, Config: o.config, User: o.user, Now: a.now}
	if dir, err := filepath.Abs(o.root); err == nil && dir == "/" {
		options.Live = thisHost()
		options.User = thisUser(o.user)
		if options.Config, err = thisConfig(o.config); err != nil {
			return noAnswer(err)
		}
	}
	report, err := doctor.Examine(ctx, options)
	if err != nil {
		return noAnswer(err)
	}
	if err := r.Doctor(a.stdout, report); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	switch {
	case len(report.Unread) > 0:
		e := noAnswer(fmt.Errorf("not everything could be looked at: %d left", len(report.Unread)))
		if os.Geteuid() > 0 {
			e = e.hint("run it as root")
		}
		return e
	case report.Worst(threshold):
		return no("there are findings of severity %s or worse", threshold)
	}
	return nil
}

// thisHost are the questions that the running host answers.
func thisHost() *doctor.Live {
	live := &doctor.Live{}
	if runtime.GOOS == "linux" {
		live.Synchronized, live.Free, live.Abilities = doctor.ClockSynchronized, doctor.FreeSpace, abilities.Look
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if t, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				live.Built = t
			}
		}
	}
	return live
}

// thisUser is who runs writ on this host, if nobody says.
func thisUser(named string) string {
	if named != "" || os.Geteuid() == 0 {
		return named
	}
	if _, err := user.Lookup("writ"); err == nil {
		return named
	}
	u, err := user.Current()
	if err != nil {
		return named
	}
	return u.Username
}

// thisConfig is the path of a configuration from the root of this host.
func thisConfig(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", errors.New(err.Error())
	}
	return filepath.ToSlash(abs), nil
}
