package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/runwrit/writ/audit"
)

// writeExpiring lists the signatures that end soon, if anybody asked.
func writeExpiring(b *strings.Builder, r *audit.Result) {
	switch {
	case r.Within <= 0:
		return
	case len(r.Expiring) == 0:
		fmt.Fprintf(b, "\nno signature expires within %s\n", days(r.Within))
		return
	}
	fmt.Fprintf(b, "\n%d %s within %s:\n", len(r.Expiring), plural(len(r.Expiring), "signature expires", "signatures expire"), days(r.Within))
	for _, e := range r.Expiring {
		s := e.Signature
		what := s.Format
		if s.Nested {
			what += " nested"
		}
		fmt.Fprintf(b, "%s  %s\n  %s by %s %s\n", s.Ends.UTC().Format(time.RFC3339), clip(e.Path), what, clip(firstID(s.Signer.IDs)), clip(s.Signer.Display))
	}
}

func firstID(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return ids[0]
}

// days is a time in whole days where it is one.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	if d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}

type jsonExpiry struct {
	Path    string     `json:"path"`
	Ends    *time.Time `json:"ends"`
	Format  string     `json:"format"`
	Nested  bool       `json:"nested"`
	Signer  []string   `json:"signer_ids"`
	Display string     `json:"display"`
}

func newJSONExpiring(list []audit.Expiry) []jsonExpiry {
	out := make([]jsonExpiry, 0, len(list))
	for _, e := range list {
		s := e.Signature
		out = append(out, jsonExpiry{e.Path, timeOrNull(s.Ends), s.Format, s.Nested, notNil(s.Signer.IDs), s.Signer.Display})
	}
	return out
}
