package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/batch"
	"github.com/runwrit/writ/internal/endpoint"
	"github.com/runwrit/writ/internal/oidctoken"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// batchOptions say how many files are signed at a time.
type batchOptions struct{ jobs int }

func (o *batchOptions) addTo(cmd *cobra.Command) {
	cmd.Flags().IntVar(&o.jobs, "jobs", 0, "sign this `number` of files at a time (default two per CPU, 8 with a key that is kept elsewhere; GnuPG keys take turns)")
}

func (o *batchOptions) validate(cmd *cobra.Command) error {
	if (o.jobs != 0 || cmd.Flags().Changed("jobs")) && (o.jobs < 1 || o.jobs > batch.MaxJobs) {
		return usagef("--jobs %d: want 1 to %d", o.jobs, batch.MaxJobs)
	}
	return nil
}

const (
	// localJobs is how many files a processor works on at a time with a key in memory:
	// while one is put on disk another is signed.
	localJobs = 2
	// remoteJobs is how many signatures a service is asked for at a time.
	remoteJobs = 8
	// graceTime is what files that were begun get after an interruption: a signature
	// that was asked for is worth waiting for.
	graceTime = 5 * time.Second
)

// keptElsewhere says that the key is asked over a network or another process.
func keptElsewhere(key string) bool {
	scheme, _, found := strings.Cut(key, "://")
	return found && scheme != "env"
}

// sharing says how the work on the files is shared out.
func (o *signOptions) sharing() batch.Options {
	s := batch.Options{Jobs: o.batch.jobs, Grace: graceTime}
	usesKey := !o.check && !o.remove && (o.key != "" || o.keyless.given())
	switch {
	case usesKey && (signer.KeptByGPG(o.key) || signer.KeptByGPG(o.resign.manifestKey)), o.normalize: // an agent or a terminal may have to ask
		s.Jobs = 1
	case usesKey && (keptElsewhere(o.key) || keptElsewhere(o.keyless.second) || o.keyless.given() || o.keyless.rekor != ""):
		s.Careful = true
		if s.Jobs == 0 {
			s.Jobs = remoteJobs
		}
	case s.Jobs == 0:
		s.Jobs = min(localJobs*workers(), batch.MaxJobs)
	}
	return s
}

// fileFunc does to one file what the command is for. Several goroutines call it.
type fileFunc func(ctx context.Context, path string) render.SignResult

// forEach does it to all files, shows what became of them, and answers.
func (a *app) forEach(ctx context.Context, o *signOptions, r signWriter, key *signer.Key, files []string, do fileFunc) (render.Signing, error) {
	units := make([][]string, len(files))
	for i, path := range files {
		units[i] = []string{path}
	}
	return a.forUnits(ctx, o, r, key, units, func(ctx context.Context, i int) []render.SignResult {
		return []render.SignResult{do(ctx, files[i])}
	})
}

// forUnits is forEach for files, some of which belong together: do is called with the
// number of each unit, and says what became of all of its files.
func (a *app) forUnits(ctx context.Context, o *signOptions, r signWriter, key *signer.Key, units [][]string, do func(context.Context, int) []render.SignResult) (render.Signing, error) {
	all := render.Signing{Check: o.check, Signer: key.ID(), Resigned: o.resign.id}
	results := make([][]render.SignResult, len(units))
	for i, paths := range units {
		for _, path := range paths {
			results[i] = append(results[i], render.SignResult{Path: path, State: render.SignNotReached})
		}
	}
	sharing := o.sharing()
	var wipe func()
	sharing.Progress, wipe = a.progressLine("looked at")
	_, err := batch.Run(ctx, len(units), sharing, func(ctx context.Context, i int) batch.Step {
		results[i] = do(ctx, i)
		next := batch.Next
		for j := range results[i] {
			results[i][j] = described(ctx, results[i][j])
			next = furthest(next, stepAfter(results[i][j]))
		}
		return next
	})
	wipe()
	all.Files = slices.Concat(results...)
	if err != nil {
		return all, noAnswer(err)
	}
	var fault error
	for _, f := range all.Files {
		if f.Err != nil && spoilsAll(f.Err) {
			fault = f.Err
			break
		}
	}
	switch missed := all.Count(render.SignNotReached); {
	case missed == 0:
	case fault != nil:
		all.Stopped = fault.Error()
	default:
		all.Stopped = noneless(context.Cause(ctx)).Error()
	}
	if err := r.Sign(a.stdout, all); err != nil {
		return all, noAnswer(fmt.Errorf("write the result: %w", err))
	}
	return all, nil
}

// noneless stands in for a reason that nobody gave.
func noneless(err error) error {
	if err == nil {
		return errors.New("the batch was stopped")
	}
	return err
}

// described completes a result with what its error says of the file.
func described(ctx context.Context, f render.SignResult) render.SignResult {
	if f.Err == nil {
		return f
	}
	if ctx.Err() != nil && errors.Is(f.Err, context.Cause(ctx)) { // begun, and given up
		f.State, f.Err = render.SignNotReached, nil
		return f
	}
	if f.State == "" || f.State == render.SignNotReached {
		f.State = render.SignFailed
	}
	if f.Detail == "" {
		f.Detail = f.Err.Error()
	}
	var input *signer.InputError
	if errors.As(f.Err, &input) {
		f.Detail, f.Line, f.Fix = input.Msg, input.Line, input.Fix
	} else if hints := hintsOf(f.Err); len(hints) > 0 {
		f.Fix = strings.Join(hints, "; ")
	}
	return f
}

// stepAfter says what is to follow a file.
func stepAfter(f render.SignResult) batch.Step {
	switch {
	case f.Err != nil && spoilsAll(f.Err):
		return batch.Stop
	case f.State == render.SignSigned:
		return batch.Proved
	}
	return batch.Next
}

// furthest is the step to take after two files: a fault of the key ends the batch.
func furthest(a, b batch.Step) batch.Step {
	switch {
	case a == batch.Stop || b == batch.Stop:
		return batch.Stop
	case a == batch.Proved || b == batch.Proved:
		return batch.Proved
	}
	return batch.Next
}

// spoilsAll says that every other file would fail in the same way: the key is at
// fault, or whoever keeps it, or a service that has to vouch for it. They are
// not asked again for each file.
func spoilsAll(err error) bool {
	var key *signer.KeyError
	var stamp *signer.TimestampError
	var self *signer.SelfCheckError
	var service *endpoint.Error
	var token *oidctoken.Error
	switch {
	case errors.As(err, &key), errors.As(err, &stamp), errors.As(err, &service), errors.As(err, &token):
		return true
	case errors.As(err, &self):
		var unverified *verifier.UnverifiedError
		return errors.As(err, &unverified) && aboutSigner(unverified.Report)
	}
	return false
}

// aboutSigner says that what a report finds amiss is the key, whatever the file is.
func aboutSigner(r *verifier.Report) bool {
	return slices.ContainsFunc(r.Signatures, func(s verifier.Signature) bool {
		return slices.ContainsFunc(s.Checks, func(c verifier.Check) bool {
			switch c.ID {
			case verifier.CheckSignature, verifier.CheckAlgorithms, verifier.CheckTrust, verifier.CheckValidity, verifier.CheckRevocation, verifier.CheckKeyUsage:
				return c.Status == verifier.StatusFailed
			default:
				return false
			}
		})
	})
}

// answerOnSigning is what the results amount to. Done says what was to be done to
// the files, for a sentence such as "2 of 3 files are not signed".
func (a *app) answerOnSigning(ctx context.Context, o *signOptions, all render.Signing, done string) error {
	failures, missed := all.Failures(), all.Count(render.SignNotReached)
	bad := len(failures) + missed
	answer := a.answerOn(len(all.Files), failures, "%d of %d files %s", bad, len(all.Files), done)
	if missed == 0 {
		return answer
	}
	if len(failures) == 0 || ctx.Err() != nil {
		e := noAnswer(fmt.Errorf("interrupted (%w): %d of %d files %s", noneless(context.Cause(ctx)), bad, len(all.Files), done))
		if o.force || o.replace || o.check {
			return e
		}
		return e.hint("the same command goes on where it stopped: what is done is left alone")
	}
	stopped := &exitError{code: exitCode(answer), err: answer}
	return stopped.hint("%d files were not tried: each would have failed for the same reason; the same command goes on where it stopped", missed)
}
