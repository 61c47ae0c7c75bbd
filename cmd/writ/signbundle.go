package main

import "strings"

// formatWords are what --format may be.
func formatWords() string {
	words := []string{"auto"}
	for _, f := range signFormats() {
		words = append(words, f.Name())
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// errUnknownFormat says why there is no such format.
func errUnknownFormat(name string) error {
	if name == formatSigstore {
		return usagef("--format %s: this build of writ is without Sigstore; want %s", name, formatWords())
	}
	return usagef("unknown signature format %q: want %s", name, formatWords())
}

// formatSigstore is the name of the format of Sigstore bundles.
const formatSigstore = "sigstore"

// fitsBundle refuses what a Sigstore bundle has no place for.
func (o *signOptions) fitsBundle() error {
	switch {
	case !o.signsBundle():
		return nil
	case o.append:
		return usagef("--append is for signatures that stand in one file: a Sigstore bundle holds one")
	case o.remove:
		return usagef("--remove is for signatures inside a file: a Sigstore bundle is a file of its own, to be deleted")
	case o.normalize:
		return usagef("--normalize is for clear-signed text: a Sigstore bundle covers every byte as it is")
	case o.addBOM && o.bundleOnly():
		return usagef("--add-bom is for signatures in place: a Sigstore bundle needs no byte-order mark")
	case !o.bundleOnly():
		return nil
	case o.claims.given():
		return usagef("--runbook-version and --namespace are for OpenPGP keys: a Sigstore bundle has no place for them")
	}
	return nil
}
