package main

import (
	"slices"
	"strings"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/signer"
)

// formatNames are the formats that --format names.
func (o *signOptions) formatNames() []string { return strings.Split(o.format, ",") }

// signsIn says whether --format names the format, and only whether it does: with
// auto the key decides.
func (o *signOptions) signsIn(name string) bool { return slices.Contains(o.formatNames(), name) }

// several says whether each file is to be signed in more than one format.
func (o *signOptions) several() bool { return strings.Contains(o.format, ",") }

// signsBundle says whether Sigstore bundles are to be made.
func (o *signOptions) signsBundle() bool {
	return o.signsIn(formatSigstore) || o.format == "auto" && o.key == "" && o.keyless.given()
}

// bundleOnly says whether nothing else is to be made.
func (o *signOptions) bundleOnly() bool { return o.signsBundle() && !o.several() }

// validateFormats wants formats that there are, each once.
func (o *signOptions) validateFormats() error {
	names := o.formatNames()
	for i, name := range names {
		switch {
		case name == "auto" && !o.several():
			return nil
		case name == "auto":
			return usagef("--format auto stands alone: the key decides on one format")
		case o.formatNamed(name) == nil:
			return errUnknownFormat(name)
		case slices.Contains(names[:i], name):
			return usagef("--format names %s twice", name)
		}
	}
	switch {
	case !o.several():
		return nil
	case o.signsIn("authenticode") && o.signsIn("clearsign"):
		return usagef("--format: authenticode needs an X.509 key and clearsign an OpenPGP key: sign in one after the other")
	case o.append, o.remove, o.normalize:
		return usagef("--append, --remove and --normalize are for one format at a time")
	}
	return nil
}

func (o *signOptions) formatNamed(name string) signer.Format {
	for _, f := range signFormats() {
		if f.Name() == name {
			return o.equip(f)
		}
	}
	return nil
}

// formatFor is the format that a file is to be signed in. The key decides, or
// the type of the file where there is no key.
func (o *signOptions) formatFor(path string, key *signer.Key) signer.Format {
	name := o.format
	switch {
	case o.several():
		return o.formatsFor(path, key)[0]
	case o.remove:
		name = "authenticode" // the only format in place
	case o.signsBundle():
		name = formatSigstore
	case name == "auto":
		name = "clearsign"
		if key.Kind() == signer.KindX509 || key == nil && format.CarriesAuthenticode(path) {
			name = "authenticode"
		}
	}
	return o.formatNamed(name)
}

// formatsFor are the formats that a file is to be signed in, what goes into the
// file first.
func (o *signOptions) formatsFor(path string, key *signer.Key) []signer.Format {
	if !o.several() {
		return []signer.Format{o.formatFor(path, key)}
	}
	var formats []signer.Format
	for _, f := range signFormats() { // in this order
		if o.signsIn(f.Name()) {
			formats = append(formats, o.equip(f))
		}
	}
	return formats
}

// carries says whether the file can be signed in all formats that were asked for.
func (o *signOptions) carries(path string, key *signer.Key) bool {
	return o.formatFor(path, key).Name() != "authenticode" || format.CarriesAuthenticode(path)
}
