package format

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/verifier"
)

const (
	// maxClockSkew is how far in the future a timestamp may be: the clocks of the
	// authority and of this machine are not the same.
	maxClockSkew = 5 * time.Minute
	// maxTimestamps is how many timestamps of one signature are looked at.
	maxTimestamps = 8
)

// oidLifetimeSigning in a certificate says that its signatures end with it,
// timestamp or not.
const oidLifetimeSigning = "1.3.6.1.4.1.311.10.3.13"

// checkTime looks for a timestamp that can be relied on: the first one in the
// order of the signature that is of this signature, by an authority of the room
// tsa, and inside the validity of the signer's certificate. That one, and no
// other, says when the signature was made, and the signer is judged as of then.
// What is wrong with a timestamp is a finding and nothing more: without one the
// signer is judged now.
func (x *authenticodeExam) checkTime(sd *cms.SignedData, leaf *x509.Certificate) {
	if !x.has(verifier.CheckSignature, verifier.StatusPassed) {
		return
	}
	looked := 0
	for _, a := range sd.Signer.Unsigned {
		if a.Type != cms.OIDTimestamp && a.Type != cms.OIDCountersign {
			continue
		}
		for _, value := range a.Values {
			if looked++; looked > maxTimestamps {
				x.findTimestamp("more than %d timestamps: the others were not looked at", maxTimestamps)
				return
			}
			at, err := x.trustedTime(sd, leaf, a.Type, value)
			if err != nil {
				x.findTimestamp("%v", err)
				continue
			}
			x.judgeAsOf(at, leaf)
			return
		}
	}
}

// endOf is when the first certificate of a chain expires; zero for no chain.
func endOf(chain []*x509.Certificate) time.Time {
	var end time.Time
	for _, c := range chain {
		if end.IsZero() || c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end.UTC()
}

func (x *authenticodeExam) findTimestamp(format string, args ...any) {
	x.find("timestamp", 0, fmt.Sprintf("a timestamp counts as none: "+format, args...), "")
}

// judgeAsOf takes over a time that can be relied on.
func (x *authenticodeExam) judgeAsOf(at time.Time, leaf *x509.Certificate) {
	x.signature.SignedAt, x.signature.SignedAtSource = at, verifier.TimeTSA
	for _, id := range leaf.UnknownExtKeyUsage {
		if id.String() == oidLifetimeSigning {
			x.find("lifetime-signing", 0, "the certificate is for lifetime signing: a timestamp does not make its signatures outlive it", "")
			return
		}
	}
	x.at = at
}

// trustedTime is what the timestamp in value says, or why it counts for nothing.
func (x *authenticodeExam) trustedTime(sd *cms.SignedData, leaf *x509.Certificate, kind cms.OID, value []byte) (time.Time, error) {
	t, err := parseTimestamp(kind, value, sd.Certificates)
	if err != nil {
		return time.Time{}, err
	}
	when := t.Time.UTC().Format(time.RFC3339)
	if x.trust.tsa == nil {
		return time.Time{}, fmt.Errorf("it is of %s, and the trust store has no timestamp authority (room %s)", when, verifier.RoomTSA)
	}
	if err := inTimeOf(t, leaf, x.now); err != nil {
		return time.Time{}, err
	}
	by, err := t.Check(sd.Signer.Value)
	if err != nil {
		return time.Time{}, fmt.Errorf("it is of %s: %w", when, err)
	}
	chain, err := x.trust.tsa.timestamperChain(by, t)
	if err != nil {
		return time.Time{}, fmt.Errorf("it is of %s by %q: %w", when, by.Subject.String(), err)
	}
	if err := x.trust.withdrawn(chain, t.Time, x.now); err != nil {
		return time.Time{}, fmt.Errorf("it is of %s by %q: %w", when, by.Subject.String(), err)
	}
	if t.Legacy {
		x.vouched = append(x.vouched, chain...)
	}
	return t.Time.UTC(), nil
}

func parseTimestamp(kind cms.OID, value []byte, certificates []*x509.Certificate) (*cms.Timestamp, error) {
	if kind == cms.OIDTimestamp {
		return cms.ParseToken(value)
	}
	return cms.ParseCountersignature(value, certificates)
}

// inTimeOf tells whether the timestamp is not from the future, and whether the
// signer's certificate was in its time then, also at the latest moment that the
// authority's accuracy leaves open.
func inTimeOf(t *cms.Timestamp, leaf *x509.Certificate, now time.Time) error {
	if t.Time.After(now.Add(maxClockSkew)) {
		return fmt.Errorf("it is of %s, which is in the future", t.Time.UTC().Format(time.RFC3339))
	}
	for _, at := range []time.Time{t.Time, t.Time.Add(t.Accuracy)} {
		if !inTime(leaf, at) {
			return fmt.Errorf("it is of %s, and %s", at.UTC().Format(time.RFC3339), outOfTime(leaf, at))
		}
	}
	return nil
}

// timestamperChain leads from the authority's certificate to an anchor of the
// room tsa, as of the time that it states.
func (a *authenticodeAnchors) timestamperChain(by *x509.Certificate, t *cms.Timestamp) ([]*x509.Certificate, error) {
	key := keyOf(by, t.Certificates)
	if chain := a.memo.get(key, t.Time); chain != nil {
		return chain, nil
	}
	if slices.ContainsFunc(t.Certificates, func(c *x509.Certificate) bool { return cms.Oversized(c.PublicKey) }) {
		return nil, fmt.Errorf("a certificate with a key that is too large came with it")
	}
	chains, err := a.chains(by, a.issued(t.Certificates), x509.ExtKeyUsageTimeStamping, t.Time)
	if err != nil {
		return nil, err
	}
	chain := strongest(chains)
	if weak := weakIn(chain); weak != nil {
		return nil, fmt.Errorf("its chain has a weak key, of %q: %s", weak.Subject.String(), keyAlgorithm(weak))
	}
	a.memo.put(key, chain)
	return chain, nil
}
