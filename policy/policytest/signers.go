package policytest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/strictyaml"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/verifier"
)

// Schemes of the identities that sign.
const (
	schemeX509     = "x509-"
	schemeOpenPGP  = "openpgp:"
	schemeSigstore = "sigstore"
)

// signing are the formats in which a test can have a runbook signed, and how the
// identities of their signers begin. Projects are not tested, so there is no manifest.
var signing = []struct{ format, scheme string }{
	{"authenticode", schemeX509}, {"clearsign", schemeOpenPGP}, {"detached", schemeOpenPGP}, {"sigstore", schemeSigstore},
}

// signers reads who has signed: people, or identities that nobody may have, each
// perhaps with the format.
func (t *tree) signers(n *yaml.Node, field string, claims *verifier.Claims, in *policy.Input) {
	claimed := claims != nil && *claims != verifier.Claims{}
	seen := map[[2]string]bool{}
	for i, item := range t.Items(n, field, maxList) {
		at := fmt.Sprintf("%s[%d]", field, i)
		who, format := t.signer(item, at)
		if who == "" {
			continue
		}
		if seen[[2]string{who, format}] {
			t.Problem(item, at, "%q stands in the list twice", strictyaml.Clip(who))
		}
		seen[[2]string{who, format}] = true
		id, format := t.signingAs(item, at, who, format, claimed)
		s := policy.Signature{
			Format: format, Verdict: verifier.Valid.String(), SignedAtNS: in.NowNS, SignedAtSource: "claimed", Digest: "sha256",
			NotPassed: []string{}, Signer: policy.Signer{IDs: []string{id}, Display: who},
		}
		if claimed && strings.HasPrefix(id, schemeOpenPGP) {
			s.Claims = claims
		}
		in.Signatures = append(in.Signatures, s)
	}
	in.Runbook.Verdict, in.Runbook.PayloadSHA256 = verifier.Valid.String(), in.Runbook.SHA256
}

// signer reads one entry of the list; format is "" where it does not say.
func (t *tree) signer(n *yaml.Node, field string) (who, format string) {
	if n.Kind != yaml.MappingNode {
		return t.Word(n, field, plainText), ""
	}
	f := t.Fields(n, field, "by", "format")
	var known []string
	for _, x := range signing {
		known = append(known, x.format)
	}
	who = t.Word(t.Need(f, n, field, "by"), field+".by", plainText)
	format = t.Word(t.Need(f, n, field, "format"), field+".format", func(s string) string { return strictyaml.OneOf("format", s, known) })
	return who, format
}

// signingAs finds out by which identity somebody signs, and in which format.
func (t *tree) signingAs(n *yaml.Node, field, who, format string, claimed bool) (id, as string) {
	isPerson := !strings.Contains(who, ":")
	i := slices.IndexFunc(signing, func(x struct{ format, scheme string }) bool { return x.format == format })
	switch {
	case i >= 0 && isPerson:
		if id = t.outline.identityOf(who, signing[i].scheme); id == "" {
			t.Problem(n, field, "%s", t.unknownPerson(who, "has no identity for the format "+format))
		}
		return id, format
	case i >= 0:
		if !strings.HasPrefix(who, signing[i].scheme) {
			t.Problem(n, field, "%s does not sign in the format %s", strictyaml.Clip(who), format)
		}
		return who, format
	}
	if id = who; isPerson {
		if id = t.outline.signingIdentity(who, claimed); id == "" {
			t.Problem(n, field, "%s", t.unknownPerson(who, "has no identity to sign with"))
		}
	}
	for _, x := range signing {
		if strings.HasPrefix(id, x.scheme) {
			return id, x.format
		}
	}
	return id, signing[0].format
}

func (t *tree) unknownPerson(who, otherwise string) string {
	if len(t.outline.identities[who]) > 0 {
		return fmt.Sprintf("%s %s", strictyaml.Clip(who), otherwise)
	}
	return fmt.Sprintf("%q: %s", strictyaml.Clip(who), strictyaml.UnknownName("person", who, maps.Keys(t.outline.identities)))
}

// identityOf is the first identity of a person that begins with one of these schemes;
// "" for none.
func (o *outline) identityOf(person string, schemes ...string) string {
	for _, id := range o.identities[person] {
		if slices.ContainsFunc(schemes, func(scheme string) bool { return strings.HasPrefix(id, scheme) }) {
			return id
		}
	}
	return ""
}

// signingIdentity is one that the person signs with; "" for none. Only OpenPGP
// signatures claim a version or a namespace.
func (o *outline) signingIdentity(person string, claims bool) string {
	if claims {
		if id := o.identityOf(person, schemeOpenPGP); id != "" {
			return id
		}
	}
	return o.identityOf(person, schemeOpenPGP, schemeX509, schemeSigstore)
}
