package format

import (
	"fmt"

	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// claimDomain is the domain of all notations that are read; those of other
// domains are never looked at. docs/formats/clearsign.md describes them.
const claimDomain = "runwrit.github.io"

// The notations of claimDomain, before the "@".
const (
	claimName      = "runbook-name"
	claimKind      = "runbook-kind"
	claimVersion   = "runbook-version"
	claimNamespace = "runbook-namespace"
)

// claimNotations returns what a signature over rb says of it: its name and kind
// always, version and namespace where they are given. It fails with
// *signer.InputError if they are not well made.
func claimNotations(rb *runbook.Runbook, version, namespace string) ([]signer.Notation, error) {
	name := runbook.PayloadName(rb.Name())
	claims := verifier.Claims{Name: name, Kind: runbook.KindOf(name).String(), Version: version, Namespace: namespace}
	if bad := claims.Problem(); bad != "" {
		return nil, &signer.InputError{Name: rb.Name(), Msg: "cannot be signed so: " + bad}
	}
	var list []signer.Notation
	for _, c := range []struct{ name, value string }{
		{claimName, claims.Name}, {claimKind, claims.Kind}, {claimVersion, claims.Version}, {claimNamespace, claims.Namespace},
	} {
		if c.value != "" {
			list = append(list, signer.Notation{Name: fmt.Sprintf("%s@%s", c.name, claimDomain), Value: c.value})
		}
	}
	return list, nil
}

// readClaims returns what a signature says of its runbook, nil if it says
// nothing. Whatever is not made as claimNotations makes it is a problem, and then
// the signature says nothing.
func readClaims(s *pgpcert.Signature) (claims *verifier.Claims, problem string) {
	notations, err := s.Notations(claimDomain)
	if err != nil {
		return nil, err.Error()
	}
	if len(notations) == 0 {
		return nil, ""
	}
	claims = &verifier.Claims{}
	for _, n := range notations {
		field, known := map[string]*string{
			claimName: &claims.Name, claimKind: &claims.Kind, claimVersion: &claims.Version, claimNamespace: &claims.Namespace,
		}[n.Tag]
		switch {
		case !known:
			return nil, "the packet claims something of the runbook that is not known"
		case *field != "":
			return nil, "the packet claims the same thing of the runbook twice"
		case n.Text == "":
			return nil, "the packet claims something of the runbook and does not say what"
		}
		*field = n.Text
	}
	if bad := claims.Problem(); bad != "" {
		return nil, "what the packet claims of the runbook is not well made: " + bad
	}
	return claims, ""
}
