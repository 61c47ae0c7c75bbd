package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/signer"
)

// normalizeOptions say what becomes of text that clear-signing cannot carry.
type normalizeOptions struct{ normalize, yes bool }

func (n *normalizeOptions) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&n.normalize, "normalize", false, "take blanks and CRs off line ends, and end the last line, in the file too; shows what changes, and asks")
	f.BoolVar(&n.yes, "yes", false, "with --normalize: show what changes, and do not ask")
}

func (o *signOptions) validateNormalize() error {
	switch {
	case o.yes && !o.normalize:
		return usagef("--yes answers the question of --normalize")
	case !o.normalize:
		return nil
	case o.check || o.append || o.remove:
		return usagef("--normalize is for signing: not with --check, --append or --remove")
	case o.format == "authenticode":
		return usagef("--normalize is for clear-signed text: a signature in place covers every byte as it is")
	}
	return nil
}

// confirm returns how the user is asked before a file is normalised; nil where
// nothing is to be normalised.
func (a *app) confirm(o *signOptions, key *signer.Key) (signer.ConfirmFunc, error) {
	switch {
	case !o.normalize:
		return nil, nil //nolint:nilnil // none is an answer
	case key.Kind() != signer.KindOpenPGP:
		return nil, usagef("--normalize is for clear-signed text, which needs an OpenPGP key")
	}
	return func(ctx context.Context, path string, n *signer.Normalized) error {
		if _, err := io.WriteString(a.stderr, changesText(path, n)); err != nil {
			return noAnswer(fmt.Errorf("show what would change: %w", err))
		}
		switch {
		case o.yes:
			return nil
		case !term.IsTerminal(int(os.Stdin.Fd())):
			return no("%q is not signed, and not changed: there is no terminal to ask on, and no --yes", path).hint("say --yes if these changes are right, or make them yourself")
		}
		agreed, err := a.ask(ctx, fmt.Sprintf("Change %s in this way, and sign it? [y/N] ", render.Escape(path)))
		if err != nil {
			return noAnswer(err)
		}
		if !agreed {
			return no("%q is not signed, and not changed", path)
		}
		return nil
	}, nil
}

// ask asks on the terminal that standard input is. Everything but a clear yes
// means no.
func (a *app) ask(ctx context.Context, question string) (bool, error) {
	if _, err := io.WriteString(a.stderr, question); err != nil {
		return false, err
	}
	type answer struct {
		line string
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		line, err := readLine(a.stdin)
		done <- answer{line, err}
	}()
	select {
	case got := <-done:
		if got.err != nil {
			return false, got.err
		}
		word := strings.ToLower(strings.TrimSpace(got.line))
		return word == "y" || word == "yes", nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// readLine reads one line and nothing behind it, which may be the answer to the
// next question.
func readLine(r io.Reader) (string, error) {
	const longest = 100
	var line []byte
	for one := make([]byte, 1); len(line) < longest; {
		n, err := r.Read(one)
		switch {
		case n > 0 && one[0] == '\n':
			return string(line), nil
		case n > 0:
			line = append(line, one[0])
		case errors.Is(err, io.EOF):
			return "", nil // no answer is no
		case err != nil:
			return "", err
		}
	}
	return "", nil
}

// changesText shows the changes as a diff without context, in which what cannot
// be seen has a name.
func changesText(path string, n *signer.Normalized) string {
	var b strings.Builder
	name := render.Escape(path)
	fmt.Fprintf(&b, "--- %s\n+++ %s, as it would be signed\n", name, name)
	listed := 0
	for _, c := range n.Changes {
		listed += c.Last - c.First + 1
		if c.Last > c.First {
			fmt.Fprintf(&b, "@@ %d lines, %d to %d @@\n-...\\r\n+...\n", c.Last-c.First+1, c.First, c.Last)
			continue
		}
		text := shorten(string(c.Text))
		fmt.Fprintf(&b, "@@ line %d @@\n-%s%s\n", c.First, text, blanksText(c.Cut))
		if c.NoEnd {
			b.WriteString("\\ no newline at the end of the file\n")
		}
		fmt.Fprintf(&b, "+%s\n", text)
		if c.Danger != "" {
			fmt.Fprintf(&b, "warning: line %d: %s\n", c.First, c.Danger)
		}
	}
	if n.Lines > listed {
		fmt.Fprintf(&b, "@@ and %d lines more @@\n", n.Lines-listed)
	}
	fmt.Fprintf(&b, "%d lines lose what cannot be seen at their ends", n.Lines)
	if n.Dangers > 0 {
		fmt.Fprintf(&b, "; in %d of them it may have a meaning", n.Dangers)
	}
	b.WriteString("\n")
	return b.String()
}

// shorten keeps both ends of a long line.
func shorten(line string) string {
	const head, tail = 100, 60
	if len(line) <= head+tail {
		return render.Escape(line)
	}
	return fmt.Sprintf("%s [... %d bytes ...] %s", render.Escape(line[:head]), len(line)-head-tail, render.Escape(line[len(line)-tail:]))
}

// blanksText names the blanks and CRs, a long run of one by its length.
func blanksText(cut []byte) string {
	names := map[byte]string{' ': `\x20`, '\t': `\t`, '\r': `\r`}
	const most, long = 16, 4
	var b strings.Builder
	for runs := 0; len(cut) > 0; runs++ {
		if runs == most {
			fmt.Fprintf(&b, "[and %d bytes more]", len(cut))
			break
		}
		n := 1
		for n < len(cut) && cut[n] == cut[0] {
			n++
		}
		if n > long {
			fmt.Fprintf(&b, "%s{%d}", names[cut[0]], n)
		} else {
			b.WriteString(strings.Repeat(names[cut[0]], n))
		}
		cut = cut[n:]
	}
	return b.String()
}
