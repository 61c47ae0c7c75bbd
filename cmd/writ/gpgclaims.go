package main

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// checkGPGClaims refuses a file that the worker would run as something else than
// was signed: by another interpreter, or as another runbook. A signature that
// claims nothing is asked for nothing.
func checkGPGClaims(file string, r *verifier.Report) error {
	name := runbook.PayloadName(filepath.Base(file))
	for _, s := range r.Signatures {
		if s.Verdict != verifier.Valid || s.Claims == nil {
			continue
		}
		kind := runbook.KindOf(name).String()
		var problem string
		switch {
		case s.Claims.Kind != "" && s.Claims.Kind != kind:
			problem = fmt.Sprintf("it was signed as %s, and the worker would run it as %s", s.Claims.Kind, kind)
		case s.Claims.Name != "" && !workerFileOf(name, s.Claims.Name):
			problem = fmt.Sprintf("it was signed as %q", s.Claims.Name)
		default:
			continue
		}
		return gpgFailure(gpgFailed,
			fmt.Sprintf("writ: %q is another runbook than was signed: %s: %s", file, verifier.CodeContradicts, problem),
			"writ: to repair: give the runbook the name and the type that were signed, or have it signed as what it is now")
	}
	return nil
}

// versionID ends the names of the worker's files: it puts the version's GUID
// behind the name of the runbook.
var versionID = regexp.MustCompile(`[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// workerFileOf says whether a file of the worker holds the runbook that was
// signed under the name claimed. Where no GUID shows the end of the runbook's
// name, the file's must begin with it.
func workerFileOf(file, claimed string) bool {
	stem := strings.TrimSuffix(file, path.Ext(file))
	signed := strings.TrimSuffix(claimed, path.Ext(claimed))
	if at := versionID.FindStringIndex(stem); at != nil {
		return stem[:at[0]] == signed
	}
	return strings.HasPrefix(stem, signed)
}
