package format

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/runwrit/writ/internal/glob"
	"github.com/runwrit/writ/internal/trustlist"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// openpgpPin names one certificate that a store trusts, and for what. What is
// not set does not narrow.
type openpgpPin struct {
	line        int
	from, until time.Time
	kinds       []string
	paths       []openpgpPath
	namespaces  []string
}

// openpgpPath is a pattern of paths.
type openpgpPath struct {
	text    string
	pattern *regexp.Regexp
}

// Fields of a pin.
const (
	pinFrom  = "valid-from"
	pinUntil = "valid-until"
	pinKinds = "kinds"
	pinPaths = "paths"
	pinSpace = "namespaces"
)

// addPins reads a file of the room openpgp-pins.
func (s *openpgpStore) addPins(data []byte) error {
	entries, err := trustlist.Parse(data)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return errors.New("no pins in it; a file without would let every signer through")
	}
	for _, e := range entries {
		fingerprint, pin, err := newOpenPGPPin(e)
		if err != nil {
			return err
		}
		s.pinned = true
		s.pins[fingerprint] = append(s.pins[fingerprint], pin)
	}
	return nil
}

func newOpenPGPPin(e trustlist.Entry) (fingerprint string, p openpgpPin, err error) {
	p.line = e.Line
	if e.Kind != "openpgp" {
		return "", p, e.Errorf("unknown word %q: want openpgp", e.Kind)
	}
	raw, err := hex.DecodeString(e.Value)
	if err != nil || len(raw) != 20 && len(raw) != 32 {
		return "", p, e.Errorf("openpgp needs the whole fingerprint of the primary key, 40 or 64 hexadecimal digits")
	}
	if err := e.Only(pinFrom, pinUntil, pinKinds, pinPaths, pinSpace); err != nil {
		return "", p, err
	}
	if p.from, err = pinTime(e, pinFrom); err != nil {
		return "", p, err
	}
	if p.until, err = pinTime(e, pinUntil); err != nil {
		return "", p, err
	}
	if !p.from.IsZero() && !p.until.IsZero() && !p.from.Before(p.until) {
		return "", p, e.Errorf("valid-until is not behind valid-from: it would never hold")
	}
	if p.kinds, err = pinList(e, pinKinds); err != nil {
		return "", p, err
	}
	for _, word := range p.kinds {
		if !slices.Contains(runbook.Kinds(), runbook.Kind(word)) {
			return "", p, e.Errorf("unknown kind %q: known are %q", word, runbook.Kinds())
		}
	}
	if p.namespaces, err = pinList(e, pinSpace); err != nil {
		return "", p, err
	}
	for _, name := range p.namespaces {
		if bad := (&verifier.Claims{Namespace: name}).Problem(); bad != "" {
			return "", p, e.Errorf("%q: %s", name, bad)
		}
	}
	globs, err := pinList(e, pinPaths)
	if err != nil {
		return "", p, err
	}
	for _, text := range globs {
		path, err := newOpenPGPPath(e, text)
		if err != nil {
			return "", p, err
		}
		p.paths = append(p.paths, path)
	}
	return strings.ToUpper(e.Value), p, nil
}

func newOpenPGPPath(e trustlist.Entry, text string) (openpgpPath, error) {
	bad := glob.Problem(text)
	if bad == "" {
		bad = glob.StartProblem(text)
	}
	if bad != "" {
		return openpgpPath{}, e.Errorf("the path %q %s", text, bad)
	}
	pattern, err := regexp.Compile(glob.Pattern(text))
	if err != nil {
		return openpgpPath{}, e.Errorf("the path %q is no pattern", text)
	}
	return openpgpPath{text, pattern}, nil
}

// pinTime reads a date, which stands for its first moment in UTC, or a time of
// RFC 3339; zero if the field is missing.
func pinTime(e trustlist.Entry, key string) (time.Time, error) {
	text, set := e.Fields[key]
	if !set {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, e.Errorf("%s is %q: want 2026-01-31 or 2026-01-31T15:04:05Z", key, text)
}

// pinList reads words with commas between them; nil if the field is missing.
func pinList(e trustlist.Entry, key string) ([]string, error) {
	text, set := e.Fields[key]
	if !set {
		return nil, nil
	}
	var words []string
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "" {
			return nil, e.Errorf("%s has an empty entry", key)
		}
		words = append(words, word)
	}
	return words, nil
}

// objection says why the pin does not fit; "" if it does.
func (p openpgpPin) objection(on openpgpSubject, now time.Time) string {
	switch {
	case !p.from.IsZero() && now.Before(p.from):
		return "does not hold before " + p.from.Format(time.RFC3339)
	case !p.until.IsZero() && !now.Before(p.until):
		return "held until " + p.until.Format(time.RFC3339)
	case p.kinds != nil && !slices.Contains(p.kinds, string(on.kind)):
		return fmt.Sprintf("is for %s, and this is %s", strings.Join(p.kinds, ", "), on.kind)
	case p.paths != nil && on.path == "":
		return "is for some paths only, and where this file lies is not known"
	case p.paths != nil && !slices.ContainsFunc(p.paths, func(g openpgpPath) bool { return g.pattern.MatchString(on.path) }):
		var globs []string
		for _, g := range p.paths {
			globs = append(globs, g.text)
		}
		return "is for paths like " + strings.Join(globs, ", ") + " only"
	case p.namespaces != nil && on.namespace == "":
		return "is for the namespaces " + strings.Join(p.namespaces, ", ") + ", and the signature does not claim one"
	case p.namespaces != nil && !slices.Contains(p.namespaces, on.namespace):
		return fmt.Sprintf("is for the namespaces %s, and the signature claims %s", strings.Join(p.namespaces, ", "), on.namespace)
	default:
		return ""
	}
}
