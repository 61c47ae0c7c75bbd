//go:build !nosigstore

package format

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// Sigstore is the format of Sigstore bundles beside a runbook, NAME.sigstore.json:
// signatures over the runbook's exact bytes, by a key or by a certificate that
// Fulcio gave to an identity. It verifies without a network, as cosign verify-blob
// does, and signs with a key or with a certificate that Fulcio gives it for that.
// docs/formats/sigstore.md describes what is refused.
type Sigstore struct {
	// Timestamp, if set, returns an RFC 3161 token over the signature, for the
	// bundle; no token and no error mean that it is to go without.
	Timestamp signer.TimestampFunc
	// Log, if set, is to make an entry of the signature, for the bundle.
	Log *LogClient
}

var (
	_ signer.Beside   = (*Sigstore)(nil)
	_ verifier.Format = (*Sigstore)(nil)
)

// NewSigstore returns the format.
func NewSigstore() *Sigstore { return &Sigstore{} }

// Name is "sigstore".
func (*Sigstore) Name() string { return sigstoreName }

// OutputName is the name of the bundle.
func (*Sigstore) OutputName(name string) string { return name + runbook.BundleExt }

// IsSignature says whether data is a bundle, of whatever version and content.
func (*Sigstore) IsSignature(data []byte) bool { return isBundle(data) }

// Load reads the rooms sigstore and sigstore-identities of all stores.
func (*Sigstore) Load(t *verifier.TrustStore) (verifier.Checker, error) {
	stores, err := loadSigstore(t)
	if err != nil {
		return nil, err
	}
	return &sigstoreChecker{stores: stores, lists: t}, nil
}

// sigstoreChecker verifies runbooks with bundles. It is safe for several
// goroutines.
type sigstoreChecker struct {
	stores []*sigstoreStore
	lists  *verifier.TrustStore // for its deny lists
}

// Check looks at the bundle that was read with the runbook.
func (c *sigstoreChecker) Check(_ context.Context, rb *runbook.Runbook, now time.Time) (out verifier.Outcome) {
	bundles := slices.DeleteFunc(rb.Sidecars(), func(s runbook.Sidecar) bool { return !s.IsBundle() })
	if len(bundles) == 0 {
		return verifier.Outcome{Findings: bundleItself(rb.Name())}
	}
	out = verifier.Outcome{
		Claimed: true, Beside: true, Joins: true, SideBySide: true, Verdict: verifier.Valid, PayloadDigest: rb.Digest,
	}
	rb.View(func(data []byte) { out.Payload = data })
	for _, s := range bundles {
		signature, err := c.checkBundle(s, out.Payload, now)
		var bad *bundleError
		if errors.As(err, &bad) {
			out.Verdict = verifier.Worst(out.Verdict, bad.verdict)
			out.Findings = append(out.Findings, verifier.Finding{
				Code: bad.code, Detail: fmt.Sprintf("in %s beside the file: %s", s.Name, bad.msg), Fix: bad.fix,
			})
			continue
		}
		signature.Sidecar = s.Name
		out.Signatures = append(out.Signatures, signature)
	}
	return refuseStatement(rb, refuseManifest(out))
}

// checkBundle judges one bundle. It fails with *bundleError where there is no
// signature in it that can be judged.
func (c *sigstoreChecker) checkBundle(s runbook.Sidecar, content []byte, now time.Time) (_ verifier.Signature, err error) {
	defer func() {
		if r := recover(); r != nil { // of a library, on bytes nobody wrote by hand
			err = malformedBundle("it cannot be read: %v", r)
		}
	}()
	if s.Refused != "" {
		return verifier.Signature{}, &bundleError{verifier.Malformed, "sidecar-refused", s.Refused, fixBundle}
	}
	b, err := readBundle(s.Data)
	if err != nil {
		return verifier.Signature{}, err
	}
	exam := newSigstoreExam(c, b, content, now)
	if b.leaf != nil {
		return exam.byCertificate(), nil
	}
	return exam.byKey(), nil
}

// bundleItself says what a file is that was named in place of its runbook.
func bundleItself(name string) []verifier.Finding {
	if !strings.HasSuffix(strings.ToLower(name), runbook.BundleExt) {
		return nil
	}
	return []verifier.Finding{{
		Code: "sigstore-bundle", Detail: "by its name this is the Sigstore bundle of another file",
		Fix: "name the runbook itself: " + name[:len(name)-len(runbook.BundleExt)],
	}}
}
