package signer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// PassphraseFromTerminal asks on a terminal, without echo; the question goes to
// prompt. It fails if tty is not a terminal.
func PassphraseFromTerminal(tty *os.File, prompt io.Writer) PassphraseFunc {
	return func(ctx context.Context, source string) ([]byte, error) {
		fd := int(tty.Fd())
		if !term.IsTerminal(fd) {
			return nil, errors.New("there is no terminal to ask on: use --passphrase-file FILE or --passphrase-env NAME")
		}
		state, err := term.GetState(fd)
		if err != nil {
			return nil, err
		}
		if _, err := fmt.Fprintf(prompt, "Passphrase of key %q: ", source); err != nil {
			return nil, err
		}
		line, err := interruptible(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
		if ctx.Err() != nil { // the terminal must echo again
			_ = term.Restore(fd, state)
			return line, err
		}
		_, _ = fmt.Fprintln(prompt) // the user's own line end had no echo
		return line, err
	}
}
