package pgpcert

import (
	"fmt"
	"time"
)

// MaxSkew is how far ahead of this clock a time may lie.
const MaxSkew = 5 * time.Minute

// Judgement says what is wrong with a key or signature now, by the question that
// is asked; "" where nothing is.
type Judgement struct {
	Supported  string // can it be checked
	Algorithms string // is it strong enough
	Trust      string // is the key part of the certificate
	Validity   string // is it in its time
	Revocation string // is it revoked
	KeyUsage   string // may it sign data
	// NotAfter is when the key, or its certificate, expires; zero for never.
	NotAfter time.Time
}

// OK reports whether nothing is wrong.
func (j Judgement) OK() bool {
	return j.Supported == "" && j.Algorithms == "" && j.Trust == "" && j.Validity == "" && j.Revocation == "" && j.KeyUsage == ""
}

// Judge says whether the key may sign data at the given time.
func (k *Key) Judge(now time.Time) Judgement {
	var j Judgement
	c := k.cert
	switch primary := c.primary(); {
	case k.strength == unsupportedKey || primary.strength == unsupportedKey:
		j.Supported = fmt.Sprintf("a key of %s in a certificate of %s", k.Algorithm, primary.Algorithm)
	case k.strength == weakKey:
		j.Algorithms = "the signing key is " + k.Algorithm
	case primary.strength == weakKey:
		j.Algorithms = "the primary key is " + primary.Algorithm
	}
	setFirst(&j.Revocation, c.revoked)
	setFirst(&j.Revocation, k.revoked)
	rule := c.judgePrimary(&j, now)
	if k != c.primary() {
		rule = k.judgeBinding(&j, now)
	}
	switch {
	case rule == nil || j.KeyUsage != "":
	case !rule.known:
		j.KeyUsage = "the key has no key flags that would let it sign"
	case rule.flags&flagSign == 0:
		j.KeyUsage = "the key is not allowed to sign data"
	}
	return j
}

// keyRule is what the self-signatures in force say of a key.
type keyRule struct {
	flags byte
	known bool // there are flags
}

const flagSign = 0x02

// judgePrimary judges the certificate as such and returns the rule for the
// primary key, nil if no self-signature is in force. The newest self-signature
// that is in its time rules; a direct-key signature and one over a user ID both
// count, and of two expiry times the earlier one.
func (c *Certificate) judgePrimary(j *Judgement, now time.Time) *keyRule {
	primary := c.primary()
	j.live("key", now, primary.public.CreationTime, 0)
	direct := newest(c.direct, now, primary.public.CreationTime)
	onUser := c.newestOnUser(now)
	if primary.public.Version == 6 {
		onUser = nil // a version 6 key is ruled by its direct-key signature alone
	}
	if direct == nil && onUser == nil {
		c.judgeBare(j)
		return nil
	}
	rule := &keyRule{}
	for _, s := range []*Signature{onUser, direct} {
		if s == nil {
			continue
		}
		if s.hasKeyFlags {
			rule.flags, rule.known = firstFlags(s.keyFlags), true
		}
		if s.hasKeyExpiry {
			j.live("certificate", now, primary.public.CreationTime, s.keyLifetime)
		}
	}
	return rule
}

// judgeBare says why a certificate has no self-signature that counts.
func (c *Certificate) judgeBare(j *Judgement) {
	if len(c.direct) == 0 && !c.hasSelf() {
		if c.weakSelf != "" {
			setFirst(&j.Algorithms, "the certificate's self-signatures are made with "+c.weakSelf)
			return
		}
		setFirst(&j.Trust, "the certificate has no good self-signature")
		return
	}
	for _, u := range c.users {
		if !u.revoked.IsZero() {
			setFirst(&j.Revocation, "every user ID of the certificate is revoked or out of its time")
			return
		}
	}
	setFirst(&j.Validity, "no self-signature of the certificate is in its time")
}

// setFirst keeps the first problem that was found.
func setFirst(problem *string, msg string) {
	if *problem == "" {
		*problem = msg
	}
}

func (c *Certificate) hasSelf() bool {
	for _, u := range c.users {
		if len(u.selfs) > 0 {
			return true
		}
	}
	return false
}

// newestOnUser returns the newest self-signature over a user ID that was not
// revoked after it.
func (c *Certificate) newestOnUser(now time.Time) *Signature {
	var best *Signature
	for _, u := range c.users {
		s := newest(u.selfs, now, c.primary().public.CreationTime)
		if s == nil || !u.revoked.IsZero() && !s.Created.After(u.revoked) {
			continue
		}
		if best == nil || s.Created.After(best.Created) {
			best = s
		}
	}
	return best
}

// judgeBinding judges a subkey and returns its rule, nil if no binding is in
// force.
func (k *Key) judgeBinding(j *Judgement, now time.Time) *keyRule {
	j.live("subkey", now, k.public.CreationTime, 0)
	var best *binding
	for _, b := range k.bindings {
		if inTime(b.Signature, now, k.public.CreationTime) && (best == nil || b.Created.After(best.Created)) {
			best = b
		}
	}
	switch {
	case best != nil:
	case len(k.bindings) > 0:
		setFirst(&j.Validity, "no binding of the subkey is in its time")
		return nil
	case k.weakBinding != "":
		setFirst(&j.Algorithms, k.weakBinding)
		return nil
	default:
		setFirst(&j.Trust, "the subkey is not bound to the certificate")
		return nil
	}
	if best.hasKeyExpiry {
		j.live("subkey", now, k.public.CreationTime, best.keyLifetime)
	}
	rule := &keyRule{flags: firstFlags(best.keyFlags), known: best.hasKeyFlags}
	if rule.flags&flagSign != 0 {
		best.back.judge(j, now, k.public.CreationTime)
	}
	return rule
}

func firstFlags(flags []byte) byte {
	if len(flags) == 0 {
		return 0
	}
	return flags[0]
}

// live judges the time of a key, and keeps the earliest expiry.
func (j *Judgement) live(what string, now, created time.Time, lifetime time.Duration) {
	if created.After(now.Add(MaxSkew)) {
		setFirst(&j.Validity, fmt.Sprintf("the %s is from the future: %s", what, stamp(created)))
	}
	if lifetime == 0 {
		return
	}
	end := created.Add(lifetime).UTC()
	if j.NotAfter.IsZero() || end.Before(j.NotAfter) {
		j.NotAfter = end
	}
	if !now.Before(end) {
		setFirst(&j.Validity, fmt.Sprintf("the %s expired at %s", what, stamp(end)))
	}
}

// newest returns the newest signature that is in its time.
func newest(signatures []*Signature, now, keyCreated time.Time) *Signature {
	var best *Signature
	for _, s := range signatures {
		if inTime(s, now, keyCreated) && (best == nil || s.Created.After(best.Created)) {
			best = s
		}
	}
	return best
}

// inTime reports whether a self-signature is neither expired, nor from the
// future, nor older than its key.
func inTime(s *Signature, now, keyCreated time.Time) bool {
	if s.Created.After(now.Add(MaxSkew)) || s.Created.Before(keyCreated) {
		return false
	}
	return s.Lifetime == 0 || now.Before(s.Created.Add(s.Lifetime))
}

// JudgeTime says what is wrong with the time of a signature by k over data.
func (k *Key) JudgeTime(s *Signature, now time.Time) string {
	switch {
	case s.Created.After(now.Add(MaxSkew)):
		return "the signature is from the future: " + stamp(s.Created)
	case s.Lifetime != 0 && !now.Before(s.Created.Add(s.Lifetime)):
		return "the signature expired at " + stamp(s.Created.Add(s.Lifetime))
	case s.Created.Before(k.public.CreationTime), s.Created.Before(k.cert.primary().public.CreationTime):
		return "the signature is older than its key"
	default:
		return ""
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// dataCritical are the critical subpackets that a signature over text may carry.
var dataCritical = []byte{subCreated, subSigExpires, subIssuer, subSignerUserID, subIssuerFpr}

// JudgeForm says what is wrong with the form of a signature over text, whoever
// made it; "" if nothing is.
func (s *Signature) JudgeForm() string {
	switch {
	case s.Created.IsZero():
		return "the packet has no hashed creation time"
	case s.repeated != 0:
		return fmt.Sprintf("the packet has two hashed subpackets of type %d", s.repeated)
	case len(s.Issuers) == 0:
		return "the packet does not say which key made it"
	case s.hasEmbedded:
		return "the packet carries another signature inside"
	}
	if kind := s.unknownCritical(dataCritical); kind == subNotation {
		return "the packet has a critical notation, and none is known"
	} else if kind != 0 {
		return fmt.Sprintf("the packet has an unknown critical subpacket of type %d", kind)
	}
	return s.conflict()
}

// conflict says whether the packet names two different keys.
func (s *Signature) conflict() string {
	first := s.Issuers[0]
	for _, i := range s.Issuers[1:] {
		if i.KeyID != first.KeyID {
			return "the packet names two different keys as its maker"
		}
		if first.Fingerprint == nil {
			first = i
		}
	}
	for _, i := range s.Issuers {
		if i.Fingerprint != nil && string(i.Fingerprint) != string(first.Fingerprint) {
			return "the packet names two different keys as its maker"
		}
	}
	return ""
}

// Issuer is the key that the signature names, as precisely as it does: a
// fingerprint or a key ID, upper-case hexadecimal; "" for none.
func (s *Signature) Issuer() string {
	name := ""
	for _, i := range s.Issuers {
		if i.Fingerprint != nil {
			return fmt.Sprintf("%X", i.Fingerprint)
		}
		name = fmt.Sprintf("%016X", i.KeyID)
	}
	return name
}
