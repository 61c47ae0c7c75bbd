package signer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/runwrit/writ/internal/lazyregexp"
)

// This file is the only one outside of worker that starts a process: gpg, and
// that only to sign. What gpg answers is data to be checked by whoever asked.

// Limits of a call of gpg.
const (
	// gpgAnswerTime bounds the questions that need nobody: an agent may have to be
	// started for them.
	gpgAnswerTime = 30 * time.Second
	// gpgSignTime bounds a signature, for which somebody may have to find a card,
	// type a PIN and touch a key.
	gpgSignTime = 5 * time.Minute
	// gpgWaitTime is how long a gpg that was told to stop may keep its pipes open.
	gpgWaitTime = 2 * time.Second

	maxGPGSignature   = 64 << 10 // bytes of one signature packet
	maxGPGCertificate = 16 << 20 // bytes of a certificate in armor
	maxGPGListing     = 4 << 20  // bytes of the list of keys
	maxGPGWords       = 16 << 10 // bytes that are kept of what gpg says of itself
	maxGPGQuote       = 300      // bytes of that in an error
)

// gpgEnv are the variables that gpg, its agent and the pinentry get: what finds
// the keys, and what a pinentry needs to ask on the terminal or the screen. All
// others, such as those of the dynamic linker, stay here.
var gpgEnv = []string{
	"PATH", "HOME", "USER", "LOGNAME", "GNUPGHOME", "GPG_TTY", "TERM", "PINENTRY_USER_DATA",
	"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "XDG_SESSION_TYPE", "DBUS_SESSION_BUS_ADDRESS",
	"LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "TMPDIR",
	// Windows does not start programs without these.
	"SystemRoot", "SystemDrive", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "ProgramData", "ProgramFiles", "USERNAME", "TEMP", "TMP",
}

// gpgProgram is the gpg that is asked.
type gpgProgram struct {
	path string // absolute
	env  []string
}

// gpgVersion is the first line of gpg --version; 2.1 is the first that leaves
// secret keys to the agent.
var gpgVersion = lazyregexp.New(`^gpg \(GnuPG[^)\n]*\) (2\.[1-9]|2\.[1-9][0-9]|[3-9])\.`)

// findGPG finds gpg in PATH and makes sure that it is one. tty is the terminal
// for a pinentry where GPG_TTY names none.
func findGPG(ctx context.Context, source, tty string) (*gpgProgram, error) {
	path, err := exec.LookPath("gpg")
	if errors.Is(err, exec.ErrDot) {
		return nil, &KeyError{source, fmt.Sprintf("the program gpg is found at %q, through a relative entry of PATH, and such are not used: remove the entry", path)}
	}
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, &KeyError{source, "the program gpg is not found: install GnuPG, or export the key and give its file (docs/keys.md)"}
	}
	p := &gpgProgram{path: path, env: gpgEnvironment(tty)}
	out, said, err := p.run(ctx, gpgAnswerTime, maxGPGListing, nil, "--no-options", "--version")
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("open key %q: %w", source, context.Cause(ctx))
	case err != nil && !gpgVersion.Match(out):
		return nil, &KeyError{source, fmt.Sprintf("%s; %s", notGPG(source, path).Msg, said.reason(err))}
	case !gpgVersion.Match(out):
		return nil, notGPG(source, path)
	}
	return p, nil
}

func notGPG(source, path string) *KeyError {
	return &KeyError{source, fmt.Sprintf("the program %q is not GnuPG 2.1 or later (writ gpg-shim, or another stand-in, comes first in PATH?): put GnuPG's own gpg first", path)}
}

func gpgEnvironment(tty string) []string {
	var env []string
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		known := slices.ContainsFunc(gpgEnv, func(s string) bool {
			return s == name || runtime.GOOS == "windows" && strings.EqualFold(s, name)
		})
		if known && value != "" {
			env = append(env, variable)
		}
	}
	if tty != "" && os.Getenv("GPG_TTY") == "" {
		env = append(env, "GPG_TTY="+tty)
	}
	return env
}

// run calls gpg within a time. It returns what gpg wrote to standard output, at
// most limit bytes, and what it said of itself. An error says that gpg failed,
// never what it may have written before.
func (p *gpgProgram) run(ctx context.Context, within time.Duration, limit int, stdin []byte, args ...string) ([]byte, *gpgWords, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("it took longer than %s", within))
	defer cancel()
	cmd := exec.CommandContext(ctx, p.path, args...) //nolint:gosec // G204: an absolute path, and arguments that are made here
	cmd.Env = p.env
	cmd.WaitDelay = gpgWaitTime
	cmd.Stdin = bytes.NewReader(stdin)
	out, words := &bounded{limit: limit, strict: true}, &bounded{limit: maxGPGWords}
	cmd.Stdout, cmd.Stderr = out, words
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case out.full: // gpg ended because nobody took more
		err = fmt.Errorf("it wrote more than %d bytes", limit)
	}
	return out.data, parseGPGWords(words.data), err
}

// bounded keeps the first bytes that are written to it. Where more come, it
// fails if it is strict, and forgets them if not.
type bounded struct {
	limit  int
	strict bool
	full   bool // more came than the limit
	data   []byte
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.limit - len(b.data)
	b.full = b.full || len(p) > room
	if b.full && b.strict {
		return 0, io.ErrShortWrite
	}
	b.data = append(b.data, p[:min(len(p), room)]...)
	return len(p), nil
}

// gpgWords is what gpg says on standard error, where --status-fd sends its
// reports for programs too. They only choose the words of an error.
type gpgWords struct {
	failure int    // the error code of the last failure, without its source; 0 for none
	human   string // the rest, shortened
}

func parseGPGWords(data []byte) *gpgWords {
	w := &gpgWords{}
	var human []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		report, isReport := strings.CutPrefix(line, "[GNUPG:] ")
		if !isReport {
			human = append(human, strings.TrimPrefix(line, "gpg: "))
			continue
		}
		f := strings.Fields(report)
		var code int
		if len(f) == 3 && f[0] == "FAILURE" || len(f) >= 3 && f[0] == "ERROR" {
			if n, _ := fmt.Sscanf(f[2], "%d", &code); n == 1 {
				w.failure = code & 0xffff
			}
		}
	}
	w.human = strings.Join(human, "; ")
	if len(w.human) > maxGPGQuote {
		w.human = w.human[:maxGPGQuote] + "..."
	}
	return w
}

// Codes of libgpg-error, and what the user can do.
var gpgFailures = map[int]string{
	11:  "the passphrase or PIN is wrong",
	17:  "GnuPG has no secret key for it: gpg --list-secret-keys names those it has; for a card, insert it and run gpg --card-status once",
	31:  "the passphrase or PIN is wrong",
	60:  "the agent does not take a passphrase from here: leave out --passphrase-file and --passphrase-env, or put allow-loopback-pinentry into gpg-agent.conf",
	62:  "nobody answered the pinentry in time",
	77:  "no gpg-agent is running and none could be started: gpgconf --launch gpg-agent says why",
	85:  "the agent has no pinentry to ask with: install one, unlock the key before, or use --passphrase-file FILE",
	86:  "the agent's pinentry failed: set GPG_TTY=$(tty), unlock the key before, or use --passphrase-file FILE",
	87:  "the PIN is wrong; a card locks itself after three wrong ones",
	91:  "another smart card is inserted: insert the one with this key",
	99:  "the question for the passphrase was cancelled",
	108: "the smart card failed: take it out, insert it again, and run gpg --card-status",
	110: "the smart card was removed: insert it again",
	112: "the smart card is not inserted",
	119: "GnuPG cannot reach smart cards here: install scdaemon",
	177: "the passphrase is empty, and the key has one",
	198: "the question for the passphrase was cancelled",
}

// reason says why gpg failed and what to do, and quotes what gpg said.
func (w *gpgWords) reason(err error) string {
	var exit *exec.ExitError
	reason := "gpg failed"
	if known := gpgFailures[w.failure]; known != "" {
		reason = known
	} else if !errors.As(err, &exit) {
		reason = fmt.Sprintf("gpg failed: %v", err)
	}
	if w.human != "" {
		reason += fmt.Sprintf("; gpg said %q", w.human)
	}
	return reason
}
