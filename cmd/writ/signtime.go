package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// timestampOptions are the flags of sign that are about timestamps.
type timestampOptions struct {
	urls     []string
	optional bool

	get signer.TimestampFunc
}

func (o *timestampOptions) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&o.urls, "timestamp", nil, "get an RFC 3161 timestamp from the first of these `URLs` (separated by commas) that gives one")
	f.BoolVar(&o.optional, "timestamp-optional", false, "sign without a timestamp if no authority gives one")
}

func (o *signOptions) validateTimestamp() error {
	wanted := len(o.timestamp.urls) > 0
	switch {
	case o.timestamp.optional && !wanted:
		return usagef("--timestamp-optional needs --timestamp URL")
	case wanted && o.remove:
		return usagef("--timestamp and --remove exclude each other")
	case o.timestamp.optional && o.check:
		return usagef("--timestamp-optional and --check exclude each other")
	case wanted && o.format == "clearsign":
		return usagef("--timestamp is for authenticode signatures and Sigstore bundles: clear-signed text has no place for one")
	case len(o.trust.tsas) > 0 && !wanted && !o.trust.given() && o.resign.before == "":
		return usagef("--tsa says whose timestamps count: it needs --timestamp URL")
	}
	return nil
}

// open makes the client; nothing is asked yet.
func (o *timestampOptions) open(a *app) error {
	if len(o.urls) == 0 {
		return nil
	}
	get, err := signer.NewTimestamper(signer.TimestampOptions{URLs: o.urls})
	if err != nil {
		return usageError{err}
	}
	o.get = get
	if o.optional {
		o.get = func(ctx context.Context, value []byte) ([]byte, error) {
			token, err := get(ctx, value)
			var none *signer.TimestampError
			if errors.As(err, &none) {
				a.note("signed without a timestamp: %v", none.Err)
				return nil, nil
			}
			return token, err
		}
	}
	return nil
}

// equip gives the client to the format that has a place for timestamps.
func (o *timestampOptions) equip(f signer.Format) signer.Format {
	if a, ok := f.(*format.Authenticode); ok {
		a.Timestamp = o.get
	}
	return f
}

// anchors reads the timestamp authorities that the user trusts.
func (o *timestampOptions) anchors(paths []string) ([]verifier.TrustFile, error) {
	var files []verifier.TrustFile
	for _, path := range paths {
		f, err := verifier.ReadTrustFile(path, verifier.RoomTSA, verifier.TrustOptions{})
		if err != nil {
			return nil, noAnswer(err)
		}
		files = append(files, f)
	}
	return files, nil
}

// demanded says that there is to be no signature without a timestamp.
func (o *timestampOptions) demanded() bool { return len(o.urls) > 0 && !o.optional }

// fitsKey refuses to ask for timestamps that the signature has no place for.
func (o *timestampOptions) fitsKey(key *signer.Key) error {
	if len(o.urls) > 0 && key.Kind() == signer.KindOpenPGP {
		return usagef("--timestamp is for authenticode signatures and Sigstore bundles, and the key is an OpenPGP key")
	}
	return nil
}

// wantStamped makes the verification of what was signed, and of what is signed
// already, one that wants a timestamp too where the user asks for one, and one by
// the authorities that are trusted, if any are.
func (o *signOptions) wantStamped(verify signer.VerifyFunc, trust *verifier.TrustStore) (signer.VerifyFunc, error) {
	if len(o.timestamp.urls) == 0 {
		return verify, nil
	}
	anchored := len(trust.Files(verifier.RoomTSA)) > 0
	v, err := newVerifier(trust, nil)
	if err != nil {
		return nil, noAnswer(err)
	}
	return func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
		found, err := verify(ctx, rb)
		if err != nil || runbook.PayloadName(rb.Name()) != rb.Name() { // clear-signed text has no place for one
			return found, err
		}
		if err := format.NewAuthenticode().CheckStamped(rb); err != nil {
			if o.timestamp.optional {
				return found, nil
			}
			return nil, fmt.Errorf("%q: %w", rb.Name(), err)
		}
		if !anchored {
			return found, nil
		}
		report, err := v.Inspect(ctx, rb)
		if err != nil {
			return nil, err
		}
		if len(report.Signatures) == 0 || report.Signatures[0].SignedAtSource != verifier.TimeTSA {
			return nil, fmt.Errorf("%q: the timestamp is by none of the trusted authorities%s", rb.Name(), timestampDetail(report))
		}
		return found, nil
	}, nil
}

func timestampDetail(r *verifier.Report) string {
	for _, f := range r.Findings {
		if f.Code == "timestamp" {
			return ": " + f.Detail
		}
	}
	return ""
}
