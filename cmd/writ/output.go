package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/render"
)

// output is the -o flag.
type output struct {
	name string
	// pipelines says that the command knows the formats of pipelines too.
	pipelines bool
}

func (o *output) addTo(cmd *cobra.Command) {
	formats := render.Formats()
	if o.pipelines {
		formats = render.JudgedFormats()
	}
	cmd.Flags().StringVarP(&o.name, "output", "o", "text", "output format: "+strings.Join(formats, " or "))
}

func (o *output) renderer() (render.Renderer, error) {
	r, err := render.New(o.name)
	if err != nil {
		return nil, usageError{err}
	}
	return r, nil
}

// progressLine returns a function that keeps one line of progress up to date
// and one that wipes it. Both do nothing where stderr is not a terminal.
func (a *app) progressLine(verb string) (update func(done, found int), wipe func()) {
	if !a.progress {
		return nil, func() {}
	}
	var last time.Time
	return func(done, found int) {
			if now := a.now(); now.Sub(last) >= 100*time.Millisecond {
				last = now
				_, _ = fmt.Fprintf(a.stderr, "\r%s %d of %d ", verb, done, found) // progress is not worth failing for
			}
		}, func() {
			_, _ = fmt.Fprintf(a.stderr, "\r%s\r", strings.Repeat(" ", 60))
		}
}

// say writes one line of the result.
func (a *app) say(format string, args ...any) error {
	if _, err := fmt.Fprintf(a.stdout, format, args...); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	return nil
}

// note tells the user something that is not the result.
func (a *app) note(format string, args ...any) {
	_, _ = fmt.Fprintf(a.stderr, "note: %s\n", render.Escape(fmt.Sprintf(format, args...))) // not worth failing for
}
