package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/verifier"
)

// judgeOptions are the flags of the commands that judge files and do not act on
// the answer: verify, inspect, audit.
type judgeOptions struct {
	trust    trustOptions
	clock    clockOption
	output   output
	catalogs []string
	codePage int // only audit has a flag for it
}

func (o *judgeOptions) addTo(cmd *cobra.Command) {
	o.trust.addTo(cmd)
	o.clock.addTo(cmd)
	o.output.addTo(cmd)
	cmd.Flags().Var((*repeated)(&o.catalogs), "catalog", "a Windows security catalog `file` (.cat) that may list files which carry no signature (repeatable)")
}

// formats are those to judge with, the catalogs that were named among them.
func (o *judgeOptions) formats(fetch format.FetchFunc) ([]verifier.Format, error) {
	var catalogs []format.Catalog
	for _, path := range o.catalogs {
		if path == "" {
			return nil, usagef("--catalog needs the name of a file")
		}
		data, err := readCatalog(path)
		if err != nil {
			return nil, noAnswer(err)
		}
		catalogs = append(catalogs, format.Catalog{Name: filepath.Base(path), Data: data})
	}
	return withCodePage(o.codePage, judgingFormats(fetch, catalogs)), nil
}

func readCatalog(path string) ([]byte, error) {
	info, err := os.Stat(path) // to open a FIFO would be to wait
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("catalog %q is not a regular file", path)
	case info.Size() > format.MaxCatalogSize:
		return nil, fmt.Errorf("catalog %q has %d bytes, the limit is %d", path, info.Size(), format.MaxCatalogSize)
	}
	return os.ReadFile(path)
}

// verifier judges by the trust and at the time that were given.
func (o *judgeOptions) verifier(fetch format.FetchFunc) (*verifier.Verifier, error) {
	now, err := o.clock.clock()
	if err != nil {
		return nil, err
	}
	trust, err := o.trust.load(false)
	if err != nil {
		return nil, err
	}
	formats, err := o.formats(fetch)
	if err != nil {
		return nil, err
	}
	v, err := verifier.New(trust, verifier.Options{Formats: formats, Now: now})
	if err != nil {
		return nil, noAnswer(err)
	}
	return v, nil
}

// inspector judges signers by the trust that was given, or not at all.
func (o *judgeOptions) inspector() (audit.Inspector, error) {
	if o.trust.given() {
		return o.verifier(nil)
	}
	now, err := o.clock.clock()
	if err != nil {
		return nil, err
	}
	formats, err := o.formats(nil)
	if err != nil {
		return nil, err
	}
	i, err := verifier.NewInspector(verifier.Options{Formats: formats, Now: now})
	if err != nil {
		return nil, noAnswer(err)
	}
	return i, nil
}

// withCodePage has the format in which text may be in a code page try this one
// too; zero is none.
func withCodePage(number int, formats []verifier.Format) []verifier.Format {
	for _, f := range formats {
		if a, ok := f.(*format.Authenticode); ok {
			a.CodePage = number
		}
	}
	return formats
}

// clockOption is the --at flag: the time to judge at. It does not exist for
// run, which always judges now.
type clockOption struct{ at string }

func (o *clockOption) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.at, "at", "", "judge as if it were this `time` (RFC 3339), not now")
}

// clock returns nil for now.
func (o *clockOption) clock() (func() time.Time, error) {
	if o.at == "" {
		return nil, nil
	}
	t, err := time.Parse(time.RFC3339, o.at)
	if err != nil {
		return nil, usagef("--at %q: want a time such as 2026-01-31T12:00:00Z", o.at)
	}
	return func() time.Time { return t }, nil
}
