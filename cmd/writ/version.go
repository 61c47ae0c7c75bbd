package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/render"
)

func newVersionCmd(a *app) *cobra.Command {
	o := &output{}
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, the Go version and the signature formats",
		Long: `Print the version of this program, the Go version that built it, and the
signature formats that it knows.

Exit codes: 0, or 2 for a malformed question.`,
		Example: `  writ version -o json`,
		Args:    args(cobra.NoArgs),
		RunE:    func(*cobra.Command, []string) error { return a.runVersion(o) },
	}
	o.addTo(cmd)
	return cmd
}

func (a *app) runVersion(o *output) error {
	r, err := o.renderer()
	if err != nil {
		return err
	}
	v := render.Version{Version: version(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Formats: []string{}}
	for _, f := range verifyFormats() {
		if f.Name() != formatSigstore || len(sigstoreSigners()) > 0 { // without Sigstore, one that only says so stands in
			v.Formats = append(v.Formats, f.Name())
		}
	}
	if err := r.Version(a.stdout, v); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	return nil
}
