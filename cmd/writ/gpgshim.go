package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// gpgForm is the one command line that gpg-shim answers: the old Linux worker's.
const gpgForm = "--batch --yes --decrypt --no-default-keyring --keyring /KEYRING --output FILE.d FILE"

// gpgTimeout is how long one call may take; a file of the largest size takes
// less than a second.
const gpgTimeout = time.Minute

// Exit codes of gpg-shim, whose meaning is gpg's.
const (
	gpgBadSignature = 1
	gpgFailed       = 2
)

// gpgError ends gpg-shim. Its lines are told as gpg would: the worker logs them.
type gpgError struct {
	code  int
	lines []string
}

func (e *gpgError) Error() string { return strings.Join(e.lines, "; ") }

func gpgFailure(code int, lines ...string) error { return &gpgError{code, lines} }

// commandLine is what writ is asked for. A program by the name of gpg is asked
// for gpg-shim, whatever its arguments are.
func commandLine(program string, args []string) []string {
	if filepath.Base(program) == "gpg" {
		return append([]string{"gpg-shim"}, args...)
	}
	return args
}

func newGPGShimCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "gpg-shim " + gpgForm,
		Short: "Verify in the place of gpg, for a Linux hybrid worker that runs gpg --decrypt",
		Long: `Answer the one command line by which the old Linux Hybrid Runbook Worker verifies
a runbook, in the place of gpg and by the rules of "writ verify". A program by the
name of gpg, such as a link to writ, does the same.

Use it to make an existing worker safe: put a link named gpg to writ first in the
PATH of the worker. FILE.d is written only if FILE is a valid clear-signed
document by a key in the keyring; otherwise nothing is there afterwards. Every
other command line is refused. See docs/cli/gpg-shim.md before you rely on it.

Exit codes: 0 FILE is valid and its text is in FILE.d, 1 the signature is wrong,
2 everything else. The worker takes anything but 0 for no.`,
		Example: `  writ gpg-shim --batch --yes --decrypt --no-default-keyring --keyring /etc/writ/keyring.gpg --output deploy.sh.d deploy.sh
  ln -s /usr/local/bin/writ /opt/writ/gpg/gpg`,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.runGPGShim(cmd.Context(), list)
		},
	}
}

// gpgCall is what the worker asks.
type gpgCall struct{ keyring, output, file string }

// parseGPGCall takes exactly the worker's arguments, in their order: what gpg
// would make of any other one is not known here.
func parseGPGCall(args []string) (gpgCall, error) {
	refuse := func(why string) (gpgCall, error) {
		return gpgCall{}, gpgFailure(gpgFailed, "this is writ in the place of gpg, and "+why,
			"it answers only: gpg "+gpgForm, "for what else gpg does, call gpg by its path")
	}
	want := strings.Fields(gpgForm)
	if len(args) != len(want) {
		return refuse("it does not answer this command line")
	}
	var call gpgCall
	for i, word := range want {
		switch word {
		case "/KEYRING":
			call.keyring = args[i]
		case "FILE.d":
			call.output = args[i]
		case "FILE":
			call.file = args[i]
		default:
			if args[i] != word {
				return refuse("it does not answer this command line")
			}
		}
	}
	switch {
	case call.file == "" || strings.HasPrefix(call.file, "-"):
		return refuse("FILE must be the path of a file")
	case call.output != call.file+".d":
		return refuse("the output must be FILE.d")
	case !filepath.IsAbs(call.keyring): // gpg would look in its home folder
		return refuse("the path of the keyring must be absolute")
	}
	return call, nil
}

func (a *app) runGPGShim(ctx context.Context, args []string) error {
	call, err := parseGPGCall(args)
	if err != nil {
		return err
	}
	if isItself(call.output, call.keyring) {
		return gpgFailure(gpgFailed, fmt.Sprintf("%q is the keyring, and would be overwritten", call.output))
	}
	// An output of an earlier call must not be taken for that of this one.
	if err := clearOutput(call.output); err != nil {
		return gpgFailure(gpgFailed, err.Error())
	}
	ctx, stop := context.WithTimeout(ctx, gpgTimeout)
	defer stop()
	verified, err := a.verifyForGPG(ctx, call)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return gpgFailure(gpgFailed, fmt.Sprintf("%q was not verified in time: %v", call.file, err))
	}
	if err := checkGPGClaims(call.file, verified.Report()); err != nil {
		return err
	}
	for _, s := range verified.Report().Signatures {
		if s.Verdict == verifier.Valid {
			writeAsGPG(a.stderr, []string{fmt.Sprintf("writ: %q is valid: signed by %s, %s", call.file, s.Signer.Display, strings.Join(s.Signer.IDs, " "))})
		}
	}
	if err := writeAtomic(call.output, verified.Payload()); err != nil {
		return gpgFailure(gpgFailed, fmt.Sprintf("write %q: %v", call.output, err))
	}
	return nil
}

// isItself reports whether path is the other file, and no link to it.
func isItself(path, other string) bool {
	info, err := os.Lstat(path)
	if err != nil {
		return false
	}
	otherInfo, err := os.Stat(other)
	return err == nil && os.SameFile(info, otherInfo)
}

// clearOutput removes a file or link at path, never what a link leads to.
func clearOutput(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular() && info.Mode()&fs.ModeSymlink == 0:
		return fmt.Errorf("%q is in the way, and is no file", path)
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) { // another call may have removed it
		return err
	}
	return nil
}

// verifyForGPG verifies by the keyring alone: no configuration, no home folder
// and no environment has a say.
func (a *app) verifyForGPG(ctx context.Context, call gpgCall) (*verifier.Verified, error) {
	ring, err := verifier.ReadTrustFile(call.keyring, verifier.RoomOpenPGP, verifier.TrustOptions{Guarded: true})
	if err != nil {
		return nil, gpgFailure(gpgFailed, err.Error(),
			"the keyring must be a plain file that only root and the user of the worker may write or replace, such as /etc/writ/keyring.gpg of root")
	}
	trust, err := verifier.NewTrust(ring)
	if err != nil {
		return nil, gpgFailure(gpgFailed, err.Error())
	}
	// Authenticode has no trust here, and is there for what it has against a text.
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{format.NewClearsign(), format.NewAuthenticode()}, Now: a.now})
	if err != nil {
		return nil, gpgFailure(gpgFailed, err.Error())
	}
	rb, err := runbook.ReadFile(call.file, false)
	if err != nil {
		return nil, gpgFailure(gpgFailed, err.Error())
	}
	verified, err := v.Verify(ctx, rb)
	var unverified *verifier.UnverifiedError
	switch {
	case errors.As(err, &unverified):
		return nil, gpgRefusal(unverified)
	case err != nil:
		return nil, gpgFailure(gpgFailed, err.Error())
	}
	return verified, nil
}

// gpgRefusal says verdict, reason and repair.
func gpgRefusal(err *verifier.UnverifiedError) error {
	code := gpgFailed
	if v := err.Report.Verdict; v == verifier.Tampered || v == verifier.BadSignature {
		code = gpgBadSignature
	}
	lines := []string{"writ: " + err.Error()}
	for _, f := range err.Report.Findings {
		if f.Fix != "" && !slices.Contains(lines, "writ: to repair: "+f.Fix) {
			lines = append(lines, "writ: to repair: "+f.Fix)
		}
	}
	if fix := render.Repair(err.Report.Verdict); fix != "" && len(lines) == 1 {
		lines = append(lines, "writ: to repair: "+fix)
	}
	return gpgFailure(code, lines...)
}

// maxGPGLine is how many characters of one line reach the worker's log.
const maxGPGLine = 1000

// writeAsGPG writes lines as gpg does, with nothing in them that could deceive
// the reader of a log.
func writeAsGPG(w io.Writer, lines []string) {
	for _, line := range lines {
		said := []rune(render.Escape(line))
		if len(said) > maxGPGLine {
			said = append(said[:maxGPGLine], '.', '.', '.')
		}
		_, _ = fmt.Fprintf(w, "gpg: %s\n", string(said)) // nobody is left to tell
	}
}
