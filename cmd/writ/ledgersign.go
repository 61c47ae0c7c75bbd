package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/runwrit/writ/internal/config"
	"github.com/runwrit/writ/internal/guard"
	"github.com/runwrit/writ/ledger"
)

// maxKeyFile is more than any key takes.
const maxKeyFile = 4 << 10

type keygenOptions struct{ name, out string }

func newLedgerKeygenCmd(a *app) *cobra.Command {
	o := &keygenOptions{}
	cmd := &cobra.Command{
		Use:   "keygen --name NAME --out FILE",
		Short: "Make a key that signs the checkpoints of one ledger",
		Long: `Make a key that signs checkpoints: write its secret half to a file that only you
may read, and print its public half, which verifies them.

Use it once for each ledger: a checkpoint says by the key's name whose ledger it is
of. Name the file in worker.yaml, ledger_checkpoints, and keep the public half
where the ledger is verified.

Exit codes: 0 made, 2 the question is malformed, 3 the file is there already or
cannot be written.`,
		Example: `  writ ledger keygen --name web-01 --out /etc/writ/ledger.key > ledger.pub`,
		Args:    args(cobra.NoArgs),
		RunE:    func(*cobra.Command, []string) error { return a.runLedgerKeygen(o) },
	}
	cmd.Flags().StringVar(&o.name, "name", "", "`name` of the key, and so of the ledger: without blanks and +")
	cmd.Flags().StringVar(&o.out, "out", "", "`file` for the secret half, which must not be there yet")
	return cmd
}

func (a *app) runLedgerKeygen(o *keygenOptions) error {
	switch {
	case o.out == "":
		return usagef("want --out: the file for the secret half")
	case o.name == "" || len(o.name) > 128 || strings.ContainsFunc(o.name, func(r rune) bool { return r <= ' ' || r > '~' || r == '+' }):
		return usagef("--name %q: want 1 to 128 visible ASCII characters without +", o.name)
	}
	secret, public, err := note.GenerateKey(rand.Reader, o.name)
	if err != nil {
		return usagef("--name: %w", err)
	}
	f, err := os.OpenFile(o.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return noAnswer(fmt.Errorf("%q is there already, and is never written over", o.out)).hint("name another file: --out FILE")
	}
	if err != nil {
		return noAnswer(err)
	}
	_, err = io.WriteString(f, secret+"\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(o.out) // it holds half a key
		return noAnswer(fmt.Errorf("write the key: %w", err))
	}
	return a.say("%s\n", public)
}

type checkpointOptions struct {
	config configOption
	key    string
	path   string
}

func newLedgerCheckpointCmd(a *app) *cobra.Command {
	o := &checkpointOptions{}
	cmd := &cobra.Command{
		Use:   "checkpoint (FILE --key KEYFILE | --config worker.yaml)",
		Short: "Sign the head of a ledger now, and print the signed checkpoint",
		Long: `Sign the last record of a ledger, unless it is signed already, write the checkpoint
beside the ledger, and print it.

Use it from a timer, and append what it prints to a file on another machine: with
that copy, "writ ledger verify --checkpoints" finds whatever was done to the ledger,
and to the checkpoints beside it.

Exit codes: 0 signed, 1 the ledger holds no record, or does not hold what was
signed before, 2 the question is malformed, 3 ledger or key cannot be used.`,
		Example: `  writ ledger checkpoint --config /etc/writ/worker.yaml
  writ ledger checkpoint ledger.jsonl --key ledger.key >> /mnt/other/web-01.checkpoints`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			if len(paths) > 0 {
				o.path = paths[0]
			}
			return a.runLedgerCheckpoint(cmd.Context(), o)
		},
	}
	o.config.addTo(cmd)
	cmd.Flags().StringVar(&o.key, "key", "", "`file` with the secret half of the key, which nobody else may read")
	return cmd
}

func (a *app) runLedgerCheckpoint(ctx context.Context, o *checkpointOptions) error {
	switch given := o.path != "" || o.key != ""; {
	case o.config.path != "" && given:
		return usagef("give --config, or a ledger and --key: not both")
	case o.config.path != "":
		w, err := loadConfig(o.config.path, true)
		if err != nil {
			return err
		}
		if o.path, o.key = w.Ledger, w.Checkpoints.Key; o.key == "" {
			return usagef("%q names no key: ledger_checkpoints", o.config.path)
		}
	case o.path == "" || o.key == "":
		return usagef("want a ledger and --key, or --config")
	}
	if _, err := os.Lstat(o.path); err != nil { // Open would make one
		return noAnswer(err)
	}
	signer, err := ledgerSigner(o.key)
	if err != nil {
		return err
	}
	book, err := ledger.Open(o.path, ledger.Options{Now: a.now, Checkpoints: ledger.Checkpoints{Signer: signer}})
	if err != nil {
		return noAnswer(err)
	}
	defer func() { _ = book.Close() }() // every record was synced when it was written
	_, block, err := book.Checkpoint(ctx)
	var tail *ledger.TailError
	switch {
	case errors.As(err, &tail), errors.Is(err, ledger.ErrNothingToSign):
		return no("%w", err)
	case err != nil:
		return noAnswer(err)
	}
	return a.say("%s", block)
}

// ledgerSigner reads the secret half of a key.
func ledgerSigner(path string) (note.Signer, error) {
	data, err := guard.ReadSecret(path, maxKeyFile)
	if err != nil {
		return nil, noAnswer(fmt.Errorf("key of checkpoints %q: %w", path, err))
	}
	// What is wrong with it is not said with its text, which is secret.
	signer, err := note.NewSigner(strings.TrimSpace(string(data)))
	if err != nil {
		return nil, noAnswer(fmt.Errorf("key of checkpoints %q: not the secret half of a key that writ ledger keygen made", path))
	}
	return signer, nil
}

// ledgerVerifier reads the public half of a key: the text itself, or a file.
func ledgerVerifier(given string) (note.Verifier, error) {
	if v, err := note.NewVerifier(given); err == nil {
		return v, nil
	}
	data, err := guard.ReadFile(given, maxKeyFile, false)
	if err != nil {
		return nil, usagef("--key: neither a public key nor a file with one: %w", err)
	}
	v, err := note.NewVerifier(strings.TrimSpace(string(data)))
	if err != nil {
		return nil, usagef("--key %q: not the public half of a key, as keygen prints it", given)
	}
	return v, nil
}

// ledgerOptionsOf says how the ledger of a configuration is kept; nil for none.
func ledgerOptionsOf(w *config.Worker, now func() time.Time) (ledger.Options, error) {
	o := ledger.Options{Now: now}
	if w == nil {
		return o, nil
	}
	o.Rotation = ledger.Rotation{Size: w.Segments.Size, Age: w.Segments.Age}
	if w.Checkpoints.Key == "" {
		return o, nil
	}
	signer, err := ledgerSigner(w.Checkpoints.Key)
	o.Checkpoints = ledger.Checkpoints{Signer: signer, Every: uint64(w.Checkpoints.Every), Interval: w.Checkpoints.Interval}
	return o, err
}

// checkpointFiles are the checkpoints that a ledger is held to.
type checkpointFiles struct {
	keys   []note.Verifier
	copies []*os.File
	sizes  []int64
}

// openCheckpoints opens the copies that were named.
func (o *ledgerOptions) openCheckpoints() (c checkpointFiles, err error) {
	for _, given := range o.keys {
		key, err := ledgerVerifier(given)
		if err != nil {
			return c, err
		}
		c.keys = append(c.keys, key)
	}
	if len(c.keys) == 0 && len(o.checkpoints) > 0 {
		return c, usagef("--checkpoints without --key: what nobody has signed says nothing")
	}
	for _, path := range o.checkpoints {
		if info, err := os.Stat(path); err != nil {
			return c, err
		} else if !info.Mode().IsRegular() { // to open a FIFO would be to wait, whatever the signal
			return c, usagef("--checkpoints %q: not a regular file", path)
		}
		f, err := os.Open(path)
		if err != nil {
			return c, err
		}
		c.copies = append(c.copies, f)
		info, err := f.Stat()
		if err != nil {
			return c, err
		}
		c.sizes = append(c.sizes, info.Size())
	}
	return c, nil
}

func (c checkpointFiles) close() {
	for _, f := range c.copies {
		_ = f.Close() // opened for reading only
	}
}

// all returns readers of the copies and of the checkpoints beside the ledger; no
// checkpoints at all are none that hold.
func (c checkpointFiles) all(r *ledger.Reader, path string) ([]*ledger.CheckpointReader, error) {
	if len(c.keys) == 0 {
		return nil, nil
	}
	var list []*ledger.CheckpointReader
	add := func(name string, in io.Reader) error {
		reader, err := ledger.NewCheckpointReader(name, in, c.keys...)
		list = append(list, reader)
		return err
	}
	for i, f := range c.copies {
		if err := add(f.Name(), io.LimitReader(f, c.sizes[i])); err != nil {
			return nil, err
		}
	}
	beside := r.Checkpoints()
	if beside == nil && len(list) == 0 {
		beside = bytes.NewReader(nil)
	}
	if beside != nil {
		if err := add(path+".checkpoints", beside); err != nil {
			return nil, err
		}
	}
	return list, nil
}
