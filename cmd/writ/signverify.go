package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// judgements are those of a file before it is signed, only with --append, and
// after; and of one with a bundle beside it.
func (o *signOptions) judgements(self *verifier.TrustStore) (before, after, bundles signer.VerifyFunc, err error) {
	if o.append {
		before, after, err = o.appendVerify(self, verifyFormats()...)
		return before, after, after, err
	}
	verify, err := verifyFunc(self, o.claims)
	if err != nil {
		return nil, nil, nil, err
	}
	if after, err = o.wantStamped(verify, self); err != nil {
		return nil, nil, nil, err
	}
	bundles, err = o.wantEvidence(verify, self)
	return nil, after, bundles, err
}

// wantEvidence makes the verification of bundles one that wants what the user asks
// for: a timestamp, or an entry of a log. A log entry alone makes a keyless bundle
// valid, so whether the timestamp is by a trusted authority is looked at here.
func (o *signOptions) wantEvidence(verify signer.VerifyFunc, trust *verifier.TrustStore) (signer.VerifyFunc, error) {
	if !o.timestamp.demanded() && o.keyless.rekor == "" {
		return verify, nil
	}
	v, err := newVerifier(trust, nil)
	if err != nil {
		return nil, noAnswer(err)
	}
	return func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
		found, err := verify(ctx, rb)
		if err != nil {
			return nil, err
		}
		for _, s := range rb.Sidecars() {
			if !s.IsBundle() {
				continue
			}
			stamped, logged := bundleEvidence(s.Data)
			if o.timestamp.demanded() && !stamped || o.keyless.rekor != "" && !logged {
				return nil, no("%q has no timestamp or no log entry, as is wanted", s.Name)
			}
		}
		if !o.timestamp.demanded() || !o.keyless.given() {
			return found, nil
		}
		report, err := v.Inspect(ctx, rb)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(report.Signatures, func(s verifier.Signature) bool {
			return s.Format == formatSigstore && s.SignedAtSource == verifier.TimeTSA
		}) {
			return nil, no("%q: the timestamp is by none of the authorities of the trusted root", rb.Name())
		}
		return found, nil
	}, nil
}

// verifyFunc is our own verifier in the words of the signer.
func verifyFunc(trust *verifier.TrustStore, claims claimOptions) (signer.VerifyFunc, error) {
	return verifyWith(trust, claims, verifyFormats()...)
}

func verifyWith(trust *verifier.TrustStore, claims claimOptions, formats ...verifier.Format) (signer.VerifyFunc, error) {
	v, err := verifier.New(trust, verifier.Options{Formats: formats})
	if err != nil {
		return nil, noAnswer(err)
	}
	return verifyBy(v, claims), nil
}

// verifyBy is a verifier of ours in the words of the signer.
func verifyBy(v *verifier.Verifier, claims claimOptions) signer.VerifyFunc {
	return func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
		verified, err := v.Verify(ctx, rb)
		var unverified *verifier.UnverifiedError
		if errors.As(err, &unverified) && unverified.Report.Verdict == verifier.Unsigned {
			return nil, fmt.Errorf("%q is %w", rb.Name(), signer.ErrUnsigned)
		}
		if err != nil {
			return nil, err
		}
		if err := contradiction(verified.Report()); err != nil {
			return nil, err
		}
		found := &signer.Verification{Payload: verified.Payload()}
		for _, s := range verified.Report().Signatures {
			if s.Verdict == verifier.Valid {
				found.Formats = append(found.Formats, s.Format)
			}
		}
		found.Signers, found.Otherwise = claims.signersOf(verified.Report())
		return found, nil
	}
}
