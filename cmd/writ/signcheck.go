package main

import (
	"context"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/signer"
)

// formatsToCheck are the formats in which a file may be signed: where a trust
// store stands in for the key, PowerShell may be signed in place or beside, and
// any file may have a bundle.
func (o *signOptions) formatsToCheck(first signer.Format, key *signer.Key) []signer.Format {
	formats := []signer.Format{first}
	if key != nil || o.format != "auto" {
		return formats
	}
	for _, name := range []string{"clearsign", "sigstore"} {
		// A build without Sigstore does not have the second.
		if f := o.formatNamed(name); f != nil && name != first.Name() {
			formats = append(formats, f)
		}
	}
	return formats
}

// checkOne says what the first format finds amiss, if the file is signed in none:
// or another one, which has a signature where the first has none.
func checkOne(ctx context.Context, path string, formats []signer.Format, verify func(signer.Format) signer.VerifyFunc) render.SignResult {
	var result signer.CheckResult
	for i, f := range formats {
		found, err := signer.CheckFile(ctx, path, f, verify(f))
		switch {
		case err == nil && found.State == signer.StateSigned:
			return render.SignResult{Path: path, Form: found.Path, State: render.SignSigned}
		case i > 0 && err == nil && result.State == signer.StateUnsigned && found.State == signer.StateStale:
			result = found
		case i > 0: // it is no answer to the first question
		case err != nil:
			return render.SignResult{Path: path, Err: err}
		default:
			result = found
		}
	}
	return render.SignResult{
		Path: path, Form: result.Path, State: checkState(result.State), Detail: result.Detail,
		Err: no("%q is %s: %s", path, result.State, result.Detail),
	}
}

// checkAll wants the file signed in all of the formats.
func checkAll(ctx context.Context, path string, formats []signer.Format, verify func(signer.Format) signer.VerifyFunc) render.SignResult {
	var result render.SignResult
	var forms []render.SignForm
	for _, f := range formats {
		one := checkOne(ctx, path, []signer.Format{f}, verify)
		forms = append(forms, render.SignForm{Format: f.Name(), Path: one.Form, State: one.State})
		if len(forms) > 1 && (one.Err == nil || result.Err != nil) {
			continue
		}
		result = one
		if one.Detail != "" {
			result.Detail = f.Name() + ": " + one.Detail
			result.Err = no("%q is %s in format %s: %s", path, one.State, f.Name(), one.Detail)
		}
	}
	if result.Err == nil || result.Detail != "" { // where a file cannot be judged, no format is
		result.Forms = forms
	}
	return result
}

func checkState(s signer.State) render.SignState {
	switch s {
	case signer.StateUnsigned:
		return render.SignUnsigned
	case signer.StateStale:
		return render.SignStale
	case signer.StateSigned:
		return render.SignSigned
	}
	return render.SignFailed
}
