package pgpcert

import (
	"cmp"
	"fmt"
	"slices"
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
func (j Judgement) OK() bool { return j.Problem() == "" }

// Problem is the worst that is wrong, "" if nothing is.
func (j Judgement) Problem() string {
	return cmp.Or(j.Revocation, j.KeyUsage, j.Algorithms, j.Trust, j.Validity, j.Supported)
}

// Rules say by what a key is judged.
type Rules struct {
	Now time.Time
	// Signed, if it is not zero, is a time at which it is enough that the key had
	// neither expired nor been retired: the one that a signature claims. What a
	// key may do at all, and how strong it has to be, is judged now. One that is
	// not before Now counts as zero.
	Signed time.Time
	// AcceptSHA1 lets self-signatures, bindings and back-signatures with SHA-1
	// count.
	AcceptSHA1 bool
}

// at is the time that expiries are compared with.
func (r Rules) at() time.Time {
	if r.Signed.IsZero() {
		return r.Now
	}
	return r.Signed
}

// Judge says whether the key may sign data at the given time, by the strictest
// rules.
func (k *Key) Judge(now time.Time) Judgement { return k.JudgeBy(Rules{Now: now}) }

// JudgeBy says whether the key may sign data.
func (k *Key) JudgeBy(r Rules) Judgement {
	if !r.Signed.Before(r.Now) {
		r.Signed = time.Time{}
	}
	var j Judgement
	c := k.cert
	primary := c.primary()
	if !k.supported || !primary.supported {
		j.Supported = fmt.Sprintf("a key of %s in a certificate of %s", k.Algorithm, primary.Algorithm)
	}
	if weak := k.weak(r.Now); weak != "" {
		j.Algorithms = "the signing key is " + weak
	} else if weak := primary.weak(r.Now); weak != "" {
		j.Algorithms = "the primary key is " + weak
	}
	setFirst(&j.Revocation, c.revoked.problem("the certificate", r))
	setFirst(&j.Revocation, k.revoked.problem("the subkey", r))
	rule := c.judgePrimary(&j, r)
	if k != primary {
		rule = k.judgeBinding(&j, r)
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
func (c *Certificate) judgePrimary(j *Judgement, r Rules) *keyRule {
	created := c.primary().public.CreationTime
	j.live("key", r, created, 0)
	direct, weak := enough(c.direct, r)
	chosen := newest(direct, r, created)
	onUser, weakOnUser := c.newestOnUser(r)
	if c.primary().public.Version == 6 {
		onUser = nil // a version 6 key is ruled by its direct-key signature alone
	}
	if chosen == nil && onUser == nil {
		c.judgeBare(j, r, cmp.Or(weak, weakOnUser, c.weakSelf))
		return nil
	}
	rule := &keyRule{}
	for _, s := range []*Signature{onUser, chosen} {
		if s == nil {
			continue
		}
		if s.hasKeyFlags {
			rule.flags, rule.known = firstFlags(s.keyFlags), true
		}
		if s.hasKeyExpiry {
			j.live("certificate", r, created, s.keyLifetime)
		}
	}
	return rule
}

// judgeBare says why a certificate has no self-signature that counts; weak is
// the hash function of one that is not good enough.
func (c *Certificate) judgeBare(j *Judgement, r Rules, weak string) {
	if !c.hasSelf(r) {
		if weak != "" {
			setFirst(&j.Algorithms, "the certificate's self-signatures are made with "+weak)
			return
		}
		setFirst(&j.Trust, "the certificate has no good self-signature")
		return
	}
	for _, u := range c.users {
		if u.revoked != nil {
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

// hasSelf reports whether there is a self-signature that is strong enough.
func (c *Certificate) hasSelf(r Rules) bool {
	direct, _ := enough(c.direct, r)
	return len(direct) > 0 || slices.ContainsFunc(c.users, func(u *user) bool {
		selfs, _ := enough(u.selfs, r)
		return len(selfs) > 0
	})
}

// newestOnUser returns the newest self-signature over a user ID that was not
// revoked after it, and the hash function of one that is not good enough.
func (c *Certificate) newestOnUser(r Rules) (best *Signature, weak string) {
	for _, u := range c.users {
		selfs, weakOne := enough(u.selfs, r)
		weak = cmp.Or(weak, weakOne)
		s := newest(selfs, r, c.primary().public.CreationTime)
		if s == nil || u.revoked.covers(s, r) {
			continue
		}
		if best == nil || s.Created.After(best.Created) {
			best = s
		}
	}
	return best, weak
}

// judgeBinding judges a subkey and returns its rule, nil if no binding is in
// force.
func (k *Key) judgeBinding(j *Judgement, r Rules) *keyRule {
	created := k.public.CreationTime
	j.live("subkey", r, created, 0)
	var all []*Signature
	for _, b := range k.bindings {
		all = append(all, b.Signature)
	}
	bindings, weak := enough(all, r)
	best := newest(bindings, r, created)
	switch weak = cmp.Or(weak, k.weakBinding); {
	case best != nil:
	case len(bindings) > 0:
		setFirst(&j.Validity, "no binding of the subkey is in its time")
		return nil
	case weak != "":
		setFirst(&j.Algorithms, "the subkey is bound with "+weak+" only")
		return nil
	default:
		setFirst(&j.Trust, "the subkey is not bound to the certificate")
		return nil
	}
	if best.hasKeyExpiry {
		j.live("subkey", r, created, best.keyLifetime)
	}
	rule := &keyRule{flags: firstFlags(best.keyFlags), known: best.hasKeyFlags}
	if rule.flags&flagSign != 0 {
		i := slices.IndexFunc(k.bindings, func(b *binding) bool { return b.Signature == best })
		k.bindings[i].back.judge(j, r, created)
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
func (j *Judgement) live(what string, r Rules, created time.Time, lifetime time.Duration) {
	if created.After(r.Now.Add(MaxSkew)) {
		setFirst(&j.Validity, fmt.Sprintf("the %s is from the future: %s", what, stamp(created)))
	}
	if lifetime == 0 {
		return
	}
	end := created.Add(lifetime).UTC()
	if j.NotAfter.IsZero() || end.Before(j.NotAfter) {
		j.NotAfter = end
	}
	if !r.at().Before(end) {
		setFirst(&j.Validity, fmt.Sprintf("the %s expired at %s", what, stamp(end)))
	}
}

// newest returns the newest signature that is in its time now or, if there is
// none, was at the time that keys are judged at.
func newest(signatures []*Signature, r Rules, keyCreated time.Time) *Signature {
	for _, at := range []time.Time{r.Now, r.at()} {
		var best *Signature
		for _, s := range signatures {
			if inTime(s, at, keyCreated) && (best == nil || s.Created.After(best.Created)) {
				best = s
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
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
