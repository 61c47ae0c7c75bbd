package main

import (
	"errors"
	"io/fs"

	"github.com/runwrit/writ/worker"
)

// hostHint says what to do where the host, or what was configured of it, kept a
// runbook from being run; "" where the error says it.
func hostHint(err error) string {
	var obligation *worker.ObligationError
	var log *worker.LogError
	switch {
	case errors.As(err, &obligation) && obligation.Name == "sandbox":
		return "which sandboxes this host can give, and what keeps it from the others, says: writ doctor"
	case errors.As(err, &obligation) && obligation.Name == "tokens":
		return "tokens in worker.yaml says from whom runbooks get them: docs/tokens.md"
	case errors.As(err, &log) && errors.Is(err, fs.ErrNotExist):
		return "make the folder, for the user of writ alone (mode 700)"
	}
	return ""
}
