package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/runwrit/writ/internal/trustlist"
	"github.com/runwrit/writ/policy/bundle"
)

// settings say what the operator wants of bundles.
type settings struct {
	name      string
	threshold int
	signers   []signer
	source    string
}

type signer struct{ owner, file string }

var (
	settingName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)
	keyFile     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]*$`)
)

// parseSettings reads lines such as
//
//	name:production
//	threshold:2
//	signer:alice key=alice.pem
//	source:https://policies.example.net/production.tar.gz
func parseSettings(data []byte) (settings, error) {
	entries, err := trustlist.Parse(data)
	if err != nil {
		return settings{}, fmt.Errorf("%s: %w", settingsFile, err)
	}
	set := settings{}
	for _, e := range entries {
		if err := set.take(e); err != nil {
			return settings{}, fmt.Errorf("%s: %w", settingsFile, err)
		}
	}
	switch {
	case set.name == "":
		return settings{}, fmt.Errorf("%s: no line name:NAME: which policy is it to take?", settingsFile)
	case len(set.signers) == 0:
		return settings{}, fmt.Errorf("%s: no line signer:OWNER key=FILE: nothing could ever be activated", settingsFile)
	}
	if set.threshold == 0 {
		set.threshold = 1
	}
	return set, nil
}

func (set *settings) take(e trustlist.Entry) error {
	twice := e.Errorf("%s is set twice", e.Kind)
	allowed := []string{}
	switch e.Kind {
	case "name":
		if set.name != "" {
			return twice
		}
		if !settingName.MatchString(e.Value) {
			return e.Errorf("%q is no name of a policy", e.Value)
		}
		set.name = e.Value
	case "threshold":
		if set.threshold != 0 {
			return twice
		}
		n, err := strconv.Atoi(e.Value)
		if err != nil || n < 1 || n > bundle.MaxSigners {
			return e.Errorf("the threshold is %q: want a number from 1 on", e.Value)
		}
		set.threshold = n
	case "signer":
		if !keyFile.MatchString(e.Fields["key"]) {
			return e.Errorf("a signer needs key=FILE, the name of a file in the folder %s", keysFolder)
		}
		set.signers = append(set.signers, signer{e.Value, e.Fields["key"]})
		allowed = append(allowed, "key")
	case "source":
		if set.source != "" {
			return twice
		}
		if err := checkSource(e.Value); err != nil {
			return e.Errorf("%v", err)
		}
		set.source = e.Value
	default:
		return e.Errorf("unknown word %q: want name, threshold, signer or source", e.Kind)
	}
	return e.Only(allowed...)
}

// checkSource accepts http and https URLs, file URLs and absolute paths.
func checkSource(source string) error {
	path, isFile := strings.CutPrefix(source, "file://")
	switch {
	case isWeb(source), (isFile || !strings.Contains(source, "://")) && filepath.IsAbs(path):
		return nil
	}
	return errors.New("the source is neither a URL of https, http or file, nor an absolute path")
}

func isWeb(source string) bool {
	return strings.HasPrefix(source, "https://") || strings.HasPrefix(source, "http://")
}
