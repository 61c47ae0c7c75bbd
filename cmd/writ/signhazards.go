package main

import (
	"crypto/ecdsa"
	"slices"
	"strings"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// validateHazards checks the flags about what would not verify everywhere.
func (o *signOptions) validateHazards() error {
	known := signer.Profiles()
	switch {
	case o.profile != "" && !slices.Contains(known, signer.Profile(o.profile)):
		return usagef("unknown profile %q: want one of %v", o.profile, known)
	case o.profile == "" && !o.addBOM:
	case o.check || o.append || o.remove:
		return usagef("--add-bom and --profile are for signing: not with --check, --append or --remove")
	case o.addBOM && o.format == "clearsign":
		return usagef("--add-bom is for signatures in place: clear-signed text needs no byte-order mark")
	case o.addBOM && o.profile != "":
		return usagef("--add-bom and --profile %s exclude each other: the service would change the mark", o.profile)
	}
	return nil
}

// warnOfHazards says once what may not verify on every host, though it is a good
// signature.
func (a *app) warnOfHazards(o *signOptions, key *signer.Key, files []string) {
	if o.check || key.Kind() != signer.KindX509 {
		return
	}
	private, _, err := key.X509()
	if err != nil {
		return // signing says so
	}
	if _, isECDSA := private.Public().(*ecdsa.PublicKey); !isECDSA {
		return
	}
	ofPowerShell := func(path string) bool {
		return strings.HasPrefix(string(runbook.KindOf(path)), string(runbook.PowerShell)) && o.formatFor(path, key).Name() == "authenticode"
	}
	if slices.ContainsFunc(files, ofPowerShell) {
		a.note("the key is ECDSA: Windows PowerShell has called scripts signed with such keys NotSigned; RSA keys work on every host")
	}
}

// equip hands a format what the flags say about signing.
func (o *signOptions) equip(f signer.Format) signer.Format {
	if a, ok := f.(*format.Authenticode); ok {
		a.AddMark = o.addBOM
	}
	return o.equipBundle(o.timestamp.equip(o.claims.equip(f)))
}
