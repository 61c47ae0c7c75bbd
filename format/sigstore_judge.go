//go:build !nosigstore

package format

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/subtle"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/verifier"
)

// sigstoreExam is the examination of one bundle. What no trust store has a part in
// is looked at first, so that each failure says what failed; the library's own
// verification comes last, and without its yes nothing is valid.
type sigstoreExam struct {
	*sigstoreChecker
	b      *sigstoreBundle
	now    time.Time
	actual []byte // the digest of the content
	out    verifier.Signature
	failed bool // one of the checks so far
}

func newSigstoreExam(c *sigstoreChecker, b *sigstoreBundle, content []byte, now time.Time) *sigstoreExam {
	h := b.hash.New()
	h.Write(content)
	x := &sigstoreExam{sigstoreChecker: c, b: b, now: now, actual: h.Sum(nil)}
	x.out = verifier.Signature{
		Format: sigstoreName, SignedAtSource: verifier.TimeNone, Digest: digestName(b.hash),
		Signer: verifier.Identity{KeyID: b.hint},
	}
	x.note(verifier.Passed(verifier.CheckStructure, "the bundle is well made, of the type %s", b.MediaType))
	if subtle.ConstantTimeCompare(x.actual, b.digest) == 1 {
		x.note(verifier.Passed(verifier.CheckContentDigest, "%s of the file is what the bundle says", x.out.Digest))
	} else {
		x.note(verifier.Failed(verifier.CheckContentDigest, "the file is not what was signed: its %s is %x, the bundle is for %x", x.out.Digest, x.actual, b.digest))
	}
	return x
}

// digestName is the name of a hash function as other formats have it.
func digestName(h crypto.Hash) string {
	return strings.ToLower(strings.ReplaceAll(h.String(), "-", ""))
}

func (x *sigstoreExam) note(c verifier.Check) {
	x.out.Checks = append(x.out.Checks, c)
	x.failed = x.failed || c.Status != verifier.StatusPassed
}

// bySigner makes the checks that need the signer's key and nothing else. The value
// is checked against the digest that the bundle says, so that a changed file is told
// from a forged bundle.
func (x *sigstoreExam) bySigner(public crypto.PublicKey) {
	x.out.Signer.Algorithm = cms.KeyAlgorithm(public)
	if err := cms.CheckKey(public); err != nil {
		x.note(verifier.Failed(verifier.CheckSupported, "the signature is by %v", err))
		return
	}
	if x.b.leaf != nil && !certifiedDigest(public, x.b.hash) {
		x.note(verifier.Failed(verifier.CheckSupported, "a certificate's key of the type %s does not sign %s digests in Sigstore", x.out.Signer.Algorithm, x.out.Digest))
		return
	}
	x.note(verifier.Passed(verifier.CheckSupported, "%s with %s", x.out.Signer.Algorithm, x.out.Digest))
	if cms.WeakKey(public) {
		x.note(verifier.Failed(verifier.CheckAlgorithms, "the signer's key is %s: RSA needs %d bits", x.out.Signer.Algorithm, cms.MinRSA))
	} else {
		x.note(verifier.Passed(verifier.CheckAlgorithms, "digest and key are strong enough"))
	}
	if signedBy(public, x.b) {
		x.note(verifier.Passed(verifier.CheckSignature, "the value verifies under the signer's key"))
	} else {
		x.note(verifier.Failed(verifier.CheckSignature, "the value does not verify under the signer's key"))
	}
}

// certifiedDigest says whether a key with a certificate signs such digests: each kind
// of key has one, and P-384 had SHA-256 before.
func certifiedDigest(public crypto.PublicKey, hash crypto.Hash) bool {
	details, err := signature.GetDefaultAlgorithmDetails(public)
	if err != nil {
		return false
	}
	k, ok := public.(*ecdsa.PublicKey)
	return details.GetHashType() == hash || ok && k.Curve == elliptic.P384() && hash == crypto.SHA256
}

// signedBy checks the value of the signature over the digest that the bundle says.
func signedBy(public crypto.PublicKey, b *sigstoreBundle) bool {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, b.hash, b.digest, b.signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, b.digest, b.signature)
	}
	return false
}

// again is the examination so far, for one store to go on with: its checks stand in
// no place that another store's could be written over.
func (x *sigstoreExam) again() *sigstoreExam {
	own := *x
	own.out.Checks = slices.Clone(x.out.Checks)
	return &own
}

// denial makes the check of the deny lists.
func (x *sigstoreExam) denial(ids ...string) verifier.Check {
	if d, hit := x.lists.Denied(ids...); hit {
		return verifier.Failed(verifier.CheckDeny, "%s", d)
	}
	return verifier.Passed(verifier.CheckDeny, "no deny list names the signer")
}

// best returns the outcome of the store that comes closest to a yes.
func best(of []verifier.Signature) verifier.Signature {
	return slices.MaxFunc(of, func(a, b verifier.Signature) int {
		return verifier.JudgeChecks(a.Checks).Rank() - verifier.JudgeChecks(b.Checks).Rank()
	})
}

// with is the outcome so far with more checks.
func (x *sigstoreExam) with(checks ...verifier.Check) verifier.Signature {
	out := x.out
	out.Checks = slices.Concat(out.Checks, checks)
	return out
}

// libraryOpinion is the library's verification of the whole bundle.
func libraryOpinion(err error) verifier.Check {
	if err != nil {
		return verifier.Failed(verifier.CheckSecondOpinion, "sigstore-go refuses the bundle: %v", err)
	}
	return verifier.Passed(verifier.CheckSecondOpinion, "sigstore-go verifies the bundle")
}

// policy asks the library about the content. Who signed is looked at here.
func (x *sigstoreExam) policy() verify.PolicyBuilder {
	return verify.NewPolicy(verify.WithArtifactDigest(digestName(x.b.hash), x.actual), verify.WithoutIdentitiesUnsafe())
}
