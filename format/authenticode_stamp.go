package format

import (
	"context"
	"errors"
	"fmt"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// stamp adds a timestamp to a signature that was just made. What an authority
// says must be good for the signature and fall into the validity of the signing
// certificate, or it would count for nothing later. It fails with
// *signer.TimestampError.
func (a *Authenticode) stamp(ctx context.Context, block []byte) ([]byte, error) {
	if a.Timestamp == nil {
		return block, nil
	}
	sd, err := cms.Parse(block)
	if err != nil {
		return nil, err
	}
	token, err := a.Timestamp(ctx, sd.Signer.Value)
	if err != nil || token == nil {
		return block, err
	}
	if err := a.stampFits(sd, token); err != nil {
		return nil, &signer.TimestampError{Err: err}
	}
	return cms.AddUnsigned(block, cms.OIDTimestamp, token)
}

// stampFits makes all the checks of a token but that of the authority's chain.
func (a *Authenticode) stampFits(sd *cms.SignedData, token []byte) error {
	t, err := cms.ParseToken(token)
	if err != nil {
		return err
	}
	if _, err := t.Check(sd.Signer.Value); err != nil {
		return err
	}
	leaf, err := sd.SignerCertificate()
	if err != nil {
		return err
	}
	return inTimeOf(t, leaf, a.clock())
}

// CheckStamped tells whether the signature that rb carries has an RFC 3161
// timestamp that is good for it. It does not judge the signature itself, nor
// whose timestamp it is: a verifier does. It fails if there is none.
func (a *Authenticode) CheckStamped(rb *runbook.Runbook) error {
	style, ok := scriptStyle(rb.Name())
	if !ok {
		return errors.New("a file of this type has no timestamp")
	}
	script, err := authscript.Parse(style, rb.Bytes())
	if err != nil {
		return err
	}
	sd, err := cms.Parse(script.Block)
	if err != nil {
		return err
	}
	why := errors.New("the signature has no timestamp")
	for _, attribute := range sd.Signer.Unsigned {
		if attribute.Type != cms.OIDTimestamp {
			continue
		}
		for _, token := range attribute.Values[:min(len(attribute.Values), maxTimestamps)] {
			if err := a.stampFits(sd, token); err != nil {
				why = fmt.Errorf("the timestamp of the signature counts for nothing: %w", err)
				continue
			}
			return nil
		}
	}
	return why
}
