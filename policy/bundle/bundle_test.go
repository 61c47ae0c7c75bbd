package bundle_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/bundle"
)

func TestTheSameContentsGiveTheSameBytes(t *testing.T) {
	t.Parallel()
	c := contents(3)
	c.Source.Rego = append(c.Source.Rego, policy.File{Name: "a.rego", Data: []byte("package writ.user.lib.a\n\nx := 1\n")})
	other := c
	other.Source.Rego = []policy.File{c.Source.Rego[1], c.Source.Rego[0]}
	other.Meta.NotBefore = c.Meta.NotBefore.In(time.FixedZone("x", 3600))
	if !bytes.Equal(build(t, c), build(t, other)) {
		t.Error("the order of the files or the time zone changes the bundle")
	}
}

func TestABundleOfEachAlgorithmIsReadBack(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"p256", "rsa", "ed25519"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			alice := newSigner(t, "alice", kind)
			data := alice.sign(t, build(t, contents(7)))
			b, err := bundle.Verify(data, nil, trust(t, 1, alice))
			if err != nil {
				t.Fatal(err)
			}
			src, want := b.Source(), contents(7)
			want.Source.Release = policy.Release{Name: "prod", Epoch: 7, NotBefore: meta(7).NotBefore, Expires: meta(7).Expires}
			if diff := cmp.Diff(want, bundle.Contents{Meta: b.Meta(), Source: src, Approvals: b.Approvals()}); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"alice"}, b.Signers()); diff != "" {
				t.Error(diff)
			}
			if !b.OwnLibrary() {
				t.Error("the library is not ours")
			}
			if _, err := policy.New(src); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPeopleAreCountedNotKeys(t *testing.T) {
	t.Parallel()
	alice, alices, bob, eve := newSigner(t, "alice", "p256"), newSigner(t, "alice", "ed25519"), newSigner(t, "bob", "rsa"), newSigner(t, "eve", "p256")
	data := alice.sign(t, build(t, contents(7)))
	both := trust(t, 2, alice, alices, bob)
	_, err := bundle.Verify(data, nil, both)
	mustRefuse(t, err, bundle.CodeThreshold, "signed by alice, and 2 different people")
	twice := alices.countersign(t, data, nil)
	_, err = bundle.Verify(data, twice, both)
	mustRefuse(t, err, bundle.CodeThreshold, "signed by alice, and 2")
	stranger := eve.countersign(t, data, twice)
	_, err = bundle.Verify(data, stranger, both)
	mustRefuse(t, err, bundle.CodeThreshold, "signed by alice, and 2")
	enough := bob.countersign(t, data, stranger)
	b, err := bundle.Verify(data, enough, both)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"alice", "bob"}, b.Signers()); diff != "" {
		t.Error(diff)
	}
	// The token's key must be listed however many have signed beside it.
	_, err = bundle.Verify(data, enough, trust(t, 1, bob))
	mustRefuse(t, err, bundle.CodeUntrusted, "not listed")
}

func TestDetachedSignaturesAreOfOneBundle(t *testing.T) {
	t.Parallel()
	alice, bob := newSigner(t, "alice", "p256"), newSigner(t, "bob", "p256")
	seven, eight := alice.sign(t, build(t, contents(7))), alice.sign(t, build(t, contents(8)))
	both := trust(t, 2, alice, bob)
	of7 := bob.countersign(t, seven, nil)
	_, err := bundle.Verify(eight, of7, both)
	mustRefuse(t, err, bundle.CodeSignature, "for another bundle")
	_, err = bundle.Countersign(eight, of7, alice.private)
	mustRefuse(t, err, bundle.CodeSignature, "for another bundle")
	_, err = bundle.Countersign(seven, of7, bob.private)
	mustRefuse(t, err, bundle.CodeSignature, "has signed already")
	_, err = bundle.Countersign(build(t, contents(7)), nil, bob.private)
	mustRefuse(t, err, bundle.CodeUnsigned, "must be signed first")
	_, err = bundle.Sign(seven, bob.private)
	mustRefuse(t, err, bundle.CodeSignature, "signed already")

	wrong := bytes.Replace(of7, []byte(`"sig": "M`), []byte(`"sig": "N`), 1)
	_, err = bundle.Verify(seven, wrong, both)
	mustRefuse(t, err, bundle.CodeSignature, "of bob is not good")
	for name, text := range map[string]string{
		"empty": "", "no envelope": "[]", "an unknown field": `{"payload":"","payloadType":"","signatures":[],"x":1}`,
		"another type": string(bytes.Replace(of7, []byte("vnd.writ"), []byte("vnd.other"), 1)),
		"more behind":  string(of7) + "{}",
		"too large":    string(of7) + string(bytes.Repeat([]byte(" "), bundle.MaxEnvelope)),
	} {
		if _, err := bundle.Verify(seven, []byte(text), both); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestKeysThatCannotCountAreRefused(t *testing.T) {
	t.Parallel()
	alice := newSigner(t, "alice", "p256")
	good := string(alice.pem(t))
	for name, text := range map[string]string{
		"nothing": "", "two keys": good + good, "text before": "alice\n" + good,
		"a curve that is refused": string(newSigner(t, "x", "p384").pem(t)),
		"no key in it":            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
		"another kind of block":   "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	} {
		if _, err := bundle.NewKey("alice", []byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, owner := range []string{"", "a b", "-a", "ä"} {
		if _, err := bundle.NewKey(owner, []byte(good)); err == nil {
			t.Errorf("owner %q: accepted", owner)
		}
	}
	key, bobs := alice.key(t), alice.key(t)
	bobs.Owner = "bob"
	for name, try := range map[string]func() (*bundle.Trust, error){
		"no keys":                func() (*bundle.Trust, error) { return bundle.NewTrust(1) },
		"no threshold":           func() (*bundle.Trust, error) { return bundle.NewTrust(0, key) },
		"an impossible one":      func() (*bundle.Trust, error) { return bundle.NewTrust(2, key) },
		"one key of two people":  func() (*bundle.Trust, error) { return bundle.NewTrust(1, key, bobs) },
		"a key without anything": func() (*bundle.Trust, error) { return bundle.NewTrust(1, bundle.Key{Owner: "x"}) },
	} {
		if _, err := try(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, tr := range []*bundle.Trust{nil, {}} {
		if _, err := bundle.Verify(alice.sign(t, build(t, contents(1))), nil, tr); err == nil {
			t.Error("verified without keys")
		}
	}
	if _, err := bundle.Sign(build(t, contents(1)), newSigner(t, "x", "p384").private); err == nil {
		t.Error("signed with a key that nobody could list")
	}
}

func TestContentsThatNoBundleCanHaveAreRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*bundle.Contents){
		"no name":             func(c *bundle.Contents) { c.Meta.Name = "" },
		"a name with a slash": func(c *bundle.Contents) { c.Meta.Name = "a/b" },
		"no epoch":            func(c *bundle.Contents) { c.Meta.Epoch = 0 },
		"a huge epoch":        func(c *bundle.Contents) { c.Meta.Epoch = 1 << 32 },
		"no end":              func(c *bundle.Contents) { c.Meta.Expires = time.Time{} },
		"no beginning":        func(c *bundle.Contents) { c.Meta.NotBefore = time.Time{} },
		"an end before that":  func(c *bundle.Contents) { c.Meta.Expires = c.Meta.NotBefore },
		"half a second":       func(c *bundle.Contents) { c.Meta.Expires = c.Meta.Expires.Add(time.Second / 2) },
		"an end far away":     func(c *bundle.Contents) { c.Meta.Expires = c.Meta.Expires.AddDate(900, 0, 0) },
		"an odd version":      func(c *bundle.Contents) { c.Meta.MinTool = "v1" },
		"a file of that name": func(c *bundle.Contents) { c.Approvals[0].Name = "../x" },
		"a file twice":        func(c *bundle.Contents) { c.Approvals = append(c.Approvals, c.Approvals[0]) },
		"Rego that is broken": func(c *bundle.Contents) { c.Source.Rego[0].Data = []byte("package x") },
		"too many files": func(c *bundle.Contents) {
			for range bundle.MaxFiles {
				c.Approvals = append(c.Approvals, policy.File{Name: "x"})
			}
		},
	} {
		c := contents(1)
		spoil(&c)
		if data, err := bundle.Build(c); err == nil || data != nil {
			t.Errorf("%s: built", name)
		}
	}
}
