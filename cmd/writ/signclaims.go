package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// claimOptions are what the signer says of a runbook beside its name and kind.
type claimOptions struct{ version, namespace string }

func (o *claimOptions) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.version, "runbook-version", "", "sign that the runbook is of this `version`, such as 1.4 (OpenPGP only)")
	f.StringVar(&o.namespace, "namespace", "", "sign that the runbook belongs to this `namespace`, such as prod (OpenPGP only)")
}

func (o *claimOptions) given() bool { return o.version != "" || o.namespace != "" }

func (o *signOptions) validateClaims() error {
	claims := verifier.Claims{Version: o.claims.version, Namespace: o.claims.namespace}
	bad := claims.Problem()
	switch {
	case !o.claims.given():
		return nil
	case o.check || o.remove:
		return usagef("--runbook-version and --namespace are for signing: not with --check or --remove")
	case o.format == "authenticode":
		return errNoClaims()
	case bad != "":
		return usagef("%s", render.Escape(bad))
	}
	return nil
}

// errNoClaims says why there are no claims in an Authenticode signature.
func errNoClaims() error {
	return usagef("--runbook-version and --namespace are for OpenPGP keys: an authenticode signature has no place for them")
}

// equip gives the claims to the format that has a place for them.
func (o *claimOptions) equip(f signer.Format) signer.Format {
	if c, ok := f.(*format.Clearsign); ok {
		c.Version, c.Namespace = o.version, o.namespace
	}
	return f
}

// signersOf returns who has validly signed, and who of them, in every one of
// their signatures, claims something else than what is to be signed.
func (o *claimOptions) signersOf(r *verifier.Report) (signers, otherwise []string) {
	var right []string
	for _, s := range r.Signatures {
		if s.Verdict != verifier.Valid {
			continue
		}
		signers = append(signers, s.Signer.IDs...)
		if o.claimedBy(s) {
			right = append(right, s.Signer.IDs...)
		}
	}
	for _, id := range signers {
		if !slices.Contains(right, id) {
			otherwise = append(otherwise, id)
		}
	}
	return signers, otherwise
}

func (o *claimOptions) claimedBy(s verifier.Signature) bool {
	c := s.Claims
	if c == nil {
		c = &verifier.Claims{}
	}
	return (o.version == "" || c.Version == o.version) && (o.namespace == "" || c.Namespace == o.namespace)
}

// contradiction is an error if a valid signature was made for another runbook: no
// policy would let the file run, so that it is not signed as it stands.
func contradiction(r *verifier.Report) error {
	for _, f := range r.Findings {
		if f.Code == verifier.CodeContradicts {
			return fmt.Errorf("%q was signed as something else: %s", r.Name, f.Detail)
		}
	}
	return nil
}
