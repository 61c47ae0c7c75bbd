package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/bundle"
	"github.com/runwrit/writ/policy/store"
	"github.com/runwrit/writ/runbook"
)

func TestAnActivatedPolicyIsTheOneThatAGateLoads(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if _, err := p.open().Load(); !errors.Is(err, store.ErrNoPolicy) {
		t.Errorf("before the first activation: %v", err)
	}
	c := contents(3)
	c.Approvals = []policy.File{{Name: "one.statement", Data: []byte("x\n")}}
	first, err := p.open().Activate(t.Context(), p.signed(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"the bundle has no tests of its own"}, first.Notes); diff != "" {
		t.Error(diff)
	}
	loaded, err := p.open().Load()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.Approvals, loaded.Approvals); diff != "" {
		t.Error(diff)
	}
	second := p.activate(5)
	if p.active() != 5 || second.Already {
		t.Errorf("active is %d", p.active())
	}
	state := p.state()
	if state.Previous == nil || state.Previous.Epoch != 3 || state.HighWater.Epoch != 5 || len(state.History) != 2 {
		t.Errorf("got %+v", state)
	}
	p.activate(6)
	left, err := os.ReadDir(filepath.Join(p.dir, "state/generations"))
	if err != nil || len(left) != 2 {
		t.Errorf("%d generations are kept: %v", len(left), err)
	}
}

func TestTheSameBundleAgainChangesNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	data := p.signed(contents(3))
	for i := range 2 {
		a, err := p.open().Activate(t.Context(), data, nil)
		if err != nil || a.Already != (i == 1) {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	if n := len(p.state().History); n != 1 {
		t.Errorf("%d changes", n)
	}
	// What was damaged on disk is mended.
	damage(t, p)
	if _, err := p.open().Load(); err == nil {
		t.Fatal("a damaged bundle is loaded")
	}
	if a, err := p.open().Activate(t.Context(), data, nil); err != nil || a.Already {
		t.Errorf("%+v, %v", a, err)
	}
	if p.active() != 3 {
		t.Error("it is not active again")
	}
}

// damage flips a bit of the active bundle.
func damage(t *testing.T, p *place) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(p.dir, "state/generations/*/bundle.tar.gz"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(found[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAttackBytesOfTheActiveBundleAreChanged(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.activate(3)
	damage(t, p)
	_, err := p.open().Load()
	mustFail(t, err, "")
}

func TestAttackRollbackToAnOlderSignedBundle(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	old := p.signed(contents(3))
	if _, err := p.open().Activate(t.Context(), old, nil); err != nil {
		t.Fatal(err)
	}
	p.activate(4)
	_, err := p.open().Activate(t.Context(), old, nil)
	mustRefuse(t, err, store.CodeRolledBack, "has the epoch 3, and 4 was active")
	if p.active() != 4 {
		t.Error("the old bundle is active")
	}
}

func TestAttackAnotherBundleOfTheSameEpoch(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.activate(4)
	c := contents(4)
	c.Meta.Expires = c.Meta.Expires.Add(time.Hour)
	_, err := p.open().Activate(t.Context(), p.signed(c), nil)
	mustRefuse(t, err, store.CodeRolledBack, "epoch 4 was another bundle")
}

func TestAttackReplayUnderAnotherName(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c := contents(4)
	c.Meta.Name = "test"
	_, err := p.open().Activate(t.Context(), p.signed(c), nil)
	mustRefuse(t, err, store.CodeName, `it is the policy "test", and this store is for "prod"`)
}

func TestAttackExpiredBundle(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	data := p.signed(contents(4))
	for now, code := range map[time.Time]bundle.Code{
		noon.Add(24 * time.Hour): store.CodeExpired, noon.Add(-time.Hour - time.Second): store.CodeNotYet,
	} {
		p.now = now
		_, err := p.open().Activate(t.Context(), data, nil)
		mustRefuse(t, err, code, "2026-11-2")
	}
	p.now = noon.Add(24*time.Hour - 1)
	if _, err := p.open().Activate(t.Context(), data, nil); err != nil {
		t.Error(err)
	}
}

// TestAttackOldGenerationBelowTheHighestEpoch: the engine that is loaded denies
// everything with policy-rolled-back.
func TestAttackOldGenerationBelowTheHighestEpoch(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.activate(3)
	old := p.state()
	p.activate(4)
	path := filepath.Join(p.dir, "state/state.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Somebody makes the previous generation the active one by hand.
	edited := strings.Replace(string(text), p.state().Active.SHA256.String(), old.Active.SHA256.String(), 1)
	edited = strings.Replace(edited, `"epoch": 4`, `"epoch": 3`, 1)
	p.write("state/state.json", edited)
	loaded, err := p.open().Load()
	if err != nil {
		t.Fatal(err)
	}
	d := loaded.Engine.Decide(t.Context(), question(noon))
	if d.Allow || len(d.Deny) != 1 || d.Deny[0].Code != "policy-rolled-back" || d.Policy.Epoch != 3 || d.Policy.HighEpoch != 4 {
		t.Errorf("decided by the old policy: %+v", d)
	}
}

func TestABundleForANewerProgramIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tool, least string
		taken       bool
	}{
		{"v1.4.0", "1.4", true}, {"v1.4.0", "1.4.0", true}, {"v1.10.0", "1.9", true}, {"v1.4.0+dirty", "1.4", true}, {"", "", true},
		{"v1.4.0", "1.4.1", false}, {"v1.4.0-rc1", "1.4", false}, {"v1.4.1-rc1", "1.4", true}, {"", "0.1", false}, {"(devel)", "0.1", false},
		{"v0.0.0-20261122120000-abcdef", "0.1", false},
	} {
		m := contents(1).Meta
		m.MinTool = c.least
		if err := store.Usable(m, noon, c.tool); (err == nil) != c.taken {
			t.Errorf("%q for %q: %v", c.tool, c.least, err)
		} else if err != nil {
			mustRefuse(t, err, store.CodeTool, c.least)
		}
	}
}

func TestAPolicyThatFailsItsOwnTestsIsNotActivated(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.activate(1)
	c := contents(2)
	c.Source.Tests = []policy.File{{Name: "x_test.rego", Data: []byte("package writ.user_test\n\ntest_never if false\n")}}
	_, err := p.open().Activate(t.Context(), p.signed(c), nil)
	mustRefuse(t, err, store.CodeTests, "1 of its own tests fail, such as")
	c.Source.Tests[0].Data = []byte("package writ.user_test\n\ntest_")
	_, err = p.open().Activate(t.Context(), p.signed(c), nil)
	if err == nil {
		t.Error("tests that cannot be read are taken for passed")
	}
	c = contents(2)
	c.Source.Grants = []byte("version: 2\n")
	_, err = p.open().Activate(t.Context(), p.signed(c), nil)
	mustRefuse(t, err, store.CodePolicy, "grants.yaml")
	if p.active() != 1 {
		t.Error("the last good policy is gone")
	}
	c = contents(2)
	c.Source.Tests = []policy.File{{Name: "x_test.rego", Data: []byte("package writ.user_test\n\ntest_always if true\n")}}
	if a, err := p.open().Activate(t.Context(), p.signed(c), nil); err != nil || len(a.Notes) > 0 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestSeveralMustSign(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write("settings", "name:prod\nthreshold:2\nsigner:alice key=alice.pem\nsigner:bob key=bob.pem\n")
	data := p.signed(contents(1))
	_, err := p.open().Activate(t.Context(), data, nil)
	mustRefuse(t, err, bundle.CodeThreshold, "signed by alice")
	beside, err := bundle.Countersign(data, nil, p.bob)
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.open().Activate(t.Context(), data, beside)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"alice", "bob"}, a.Signers); diff != "" {
		t.Error(diff)
	}
	// A rollback verifies again: the detached signatures were kept.
	data = p.signed(contents(2))
	if beside, err = bundle.Countersign(data, nil, p.bob); err != nil {
		t.Fatal(err)
	}
	if _, err := p.open().Activate(t.Context(), data, beside); err != nil {
		t.Fatal(err)
	}
	if a, err = p.open().Rollback(t.Context(), "it denies too much"); err != nil || a.Epoch != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
}

func TestARollbackIsExplicitAndRemembered(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.activate(1)
	_, err := p.open().Rollback(t.Context(), "why")
	mustFail(t, err, "no generation before")
	bad := p.signed(contents(2))
	if _, err := p.open().Activate(t.Context(), bad, nil); err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{"", "  ", "two\nlines", "\x1b[31m", strings.Repeat("x", 501)} {
		if _, err := p.open().Rollback(t.Context(), reason); !errors.Is(err, store.ErrReason) {
			t.Errorf("%q: %v", reason, err)
		}
	}
	if _, err := p.open().Rollback(t.Context(), "epoch 2 denies the night jobs"); err != nil {
		t.Fatal(err)
	}
	state := p.state()
	last := state.History[len(state.History)-1]
	if p.active() != 1 || state.HighWater.Epoch != 1 || state.Previous != nil || last.Reason != "epoch 2 denies the night jobs" || last.Action != "rollback" {
		t.Errorf("got %+v", state)
	}
	_, err = p.open().Activate(t.Context(), bad, nil)
	mustRefuse(t, err, store.CodeWithdrawn, "epoch 2 was rolled back here")
	p.activate(3)
	p.now = noon.Add(25 * time.Hour)
	_, err = p.open().Rollback(t.Context(), "back to what has expired")
	mustRefuse(t, err, store.CodeExpired, "expired")
}

func TestTheHighestTrustEpochNeverGoesDown(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, c := range []struct{ see, want uint64 }{{0, 0}, {3, 3}, {2, 3}, {3, 3}, {9, 9}, {0, 9}} {
		if got, err := p.open().SeeTrustEpoch(t.Context(), c.see); err != nil || got != c.want {
			t.Errorf("after %d: %d, %v", c.see, got, err)
		}
	}
	if got, err := p.open().TrustEpoch(); err != nil || got != 9 {
		t.Errorf("got %d, %v", got, err)
	}
	p.write("state/trust.json", `{"version":2,"epoch":1}`)
	_, err := p.open().TrustEpoch()
	mustFail(t, err, "version")
	p.write("state/trust.json", `{`)
	_, err = p.open().SeeTrustEpoch(t.Context(), 1)
	mustFail(t, err, "trust.json")
}

func TestAStoreThatOthersMayWriteIsRefused(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.activate(1)
	for _, name := range []string{".", "settings", "keys", "keys/alice.pem", "state", "state/state.json", "state/generations", "state/generations/*", "state/generations/*/bundle.tar.gz"} {
		found, err := filepath.Glob(filepath.Join(p.dir, name))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v, %v", name, found, err)
		}
		info, err := os.Stat(found[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(found[0], info.Mode()|0o022); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(p.dir, store.Options{Guarded: true, Now: func() time.Time { return noon }})
		if err == nil {
			if _, err = s.Trust(); err == nil {
				_, err = s.Load()
			}
			_ = s.Close()
		}
		mustFail(t, err, "others may")
		if s, err = store.Open(p.dir, store.Options{}); err != nil {
			t.Errorf("%s: not guarded: %v", name, err)
			continue
		}
		if _, err := s.State(); err != nil {
			t.Errorf("%s: not guarded: %v", name, err)
		}
		_ = s.Close()
		if err := os.Chmod(found[0], info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLinksInAStoreAreRefused(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.activate(1)
	for _, name := range []string{"settings", "keys/alice.pem", "state/state.json", "state/generations/*/bundle.tar.gz"} {
		found, err := filepath.Glob(filepath.Join(p.dir, name))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v, %v", name, found, err)
		}
		if err := os.Rename(found[0], found[0]+".real"); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(found[0]+".real", found[0]); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(p.dir, store.Options{Guarded: true, Now: func() time.Time { return noon }})
		if err == nil {
			if _, err = s.Load(); err == nil {
				_, err = s.Trust()
			}
			_ = s.Close()
		}
		mustFail(t, err, "not a regular file")
		if err := os.Rename(found[0]+".real", found[0]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSettingsAreReadStrictly(t *testing.T) {
	t.Parallel()
	for text, words := range map[string]string{
		"":                                    "no line name:NAME",
		"name:prod":                           "nothing could ever be activated",
		"name:prod\nname:x":                   "name is set twice",
		"name:Prod":                           "no name of a policy",
		"name:":                               "no name of a policy",
		"name:prod\nthreshold:0":              "from 1 on",
		"name:prod\nthreshold:1\nthreshold:2": "threshold is set twice",
		"name:prod\nsigner:a":                 "a signer needs key=FILE",
		"name:prod\nsigner:a key=../a.pem":    "a signer needs key=FILE",
		"name:prod\nsigner:a key=a.pem x=1":   "no field",
		"name:prod\nsigners:a key=a.pem":      "unknown word",
		"name:prod\nsource:ftp://x":           "neither a URL",
		"name:prod\nsource:relative":          "neither a URL",
		"name:prod\nsource:/a\nsource:/a":     "source is set twice",
		"name = prod":                         "want kind:value",
	} {
		p := newPlace(t)
		p.write("settings", text)
		_, err := store.Open(p.dir, store.Options{})
		mustFail(t, err, words)
	}
	for text, words := range map[string]string{
		"name:prod\nsigner:carol key=carol.pem":                         "no such file",
		"name:prod\nthreshold:2\nsigner:alice key=alice.pem":            "the threshold is 2",
		"name:prod\nsigner:alice key=alice.pem\nsigner:b key=alice.pem": "listed twice",
		"name:prod\nsigner:alice key=bad.pem":                           "not one PEM block",
	} {
		p := newPlace(t)
		p.write("settings", text)
		p.write("keys/bad.pem", "x")
		_, err := p.open().Trust()
		mustFail(t, err, words)
		_, err = p.open().Activate(t.Context(), nil, nil)
		mustFail(t, err, words)
	}
	for _, dir := range []string{"nowhere", "settings"} {
		p := newPlace(t)
		_, err := store.Open(filepath.Join(p.dir, dir), store.Options{})
		mustFail(t, err, "")
	}
	p := newPlace(t)
	if !store.Is(p.dir) || store.Is(t.TempDir()) || store.Is("") {
		t.Error("a store is not told from a folder")
	}
}

func TestAStateThatIsNotUnderstoodIsRefused(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.activate(3)
	text, err := os.ReadFile(filepath.Join(p.dir, "state/state.json"))
	if err != nil {
		t.Fatal(err)
	}
	good := string(text)
	for name, other := range map[string]string{
		"empty":              "",
		"half of it":         good[:len(good)/2],
		"a later version":    strings.Replace(good, `"version": 1`, `"version": 2`, 1),
		"an unknown field":   strings.Replace(good, `"version": 1`, `"version": 1, "x": 1`, 1),
		"a field twice":      strings.Replace(good, `"version": 1`, `"version": 1, "version": 1`, 1),
		"nothing active":     `{"version":1,"high_water":{"epoch":3,"sha256":""},"withdrawn":[],"history":[]}`,
		"another name":       strings.Replace(good, `"prod"`, `"test"`, 1),
		"no epoch":           strings.Replace(good, `"epoch": 3`, `"epoch": 0`, 1),
		"a bundle of 4":      strings.Replace(good, `"epoch": 3`, `"epoch": 4`, 1),
		"more behind it":     good + "{}",
		"larger than it may": good + strings.Repeat(" ", 1<<20),
	} {
		p.write("state/state.json", other)
		_, err := p.open().Load()
		if mustFail(t, err, ""); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
}

func FuzzSettings(f *testing.F) {
	f.Add("name:prod\nthreshold:2\nsigner:alice key=alice.pem\nsource:https://x.example/p.tar.gz\n")
	f.Add("name:prod\nsigner:")
	p := newPlace(f)
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(filepath.Join(p.dir, "settings"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(p.dir, store.Options{})
		if err != nil {
			mustFail(t, err, "")
			return
		}
		defer func() { _ = s.Close() }()
		if s.Name() == "" || !strings.Contains(text, "signer:") {
			t.Error("settings without a name or a signer are taken")
		}
	})
}

// many is a grants.yaml that is large enough for an index.
func many(rules int) []byte {
	var b strings.Builder
	b.WriteString(grantsYAML)
	for i := range rules {
		fmt.Fprintf(&b, "  - name: r%d\n    match: {paths: [\"/srv/%d.sh\"]}\n    workers: {any: true}\n    signed_by: {people: [alice]}\n    requested_by: {people: [alice]}\n", i, i)
	}
	return []byte(b.String())
}

func TestALargePolicyIsReadThroughItsIndex(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c := contents(3)
	c.Source.Grants = many(600)
	c.Source.Rego = []policy.File{{Name: "x.rego", Data: []byte("package writ.user\n\nwarn contains \"x\"\n")}}
	c.Approvals = []policy.File{{Name: "one.statement", Data: []byte("x\n")}}
	data := p.signed(c)
	if _, err := p.open().Activate(t.Context(), data, nil); err != nil {
		t.Fatal(err)
	}
	active, err := p.open().Load()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = active.Close() })
	direct, err := policy.New(c.Source)
	if err != nil {
		t.Fatal(err)
	}
	if active.Index == nil || active.Engine.Policy().SHA256 != direct.Policy().SHA256 || len(active.Approvals) != 1 {
		t.Errorf("got %+v", active)
	}
	folder := filepath.Join(p.dir, "state/generations")
	for _, name := range []string{"excerpt.tar", "grants.index"} {
		found, err := filepath.Glob(filepath.Join(folder, "*", name))
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		content, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		content[len(content)-100] ^= 1
		if err := os.WriteFile(found[0], content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = p.open().Load()
		mustFail(t, err, "")
		// The same bundle again mends it.
		if a, err := p.open().Activate(t.Context(), data, nil); err != nil || a.Already {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
		again, err := p.open().Load()
		if err != nil {
			t.Fatal(err)
		}
		_ = again.Close()
	}
}

// TestAnIndexOfAnotherVersionIsNotRead: after another writ was installed, the
// bundle itself is read, and the next activation makes the index anew.
func TestAnIndexOfAnotherVersionIsNotRead(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c := contents(3)
	c.Source.Grants = many(600)
	data := p.signed(c)
	if _, err := p.open().Activate(t.Context(), data, nil); err != nil {
		t.Fatal(err)
	}
	rows := p.otherRows()
	if p.active() != 3 {
		t.Error("it is not active any more")
	}
	if a, err := p.open().Activate(t.Context(), data, nil); err != nil || a.Already || a.Index.Rows.String() != rows {
		t.Errorf("%+v, %v", a, err)
	}
}

// question is what the policy of contents allows.
func question(now time.Time) policy.Input {
	return policy.Input{
		Version: policy.InputVersion, NowNS: now.UnixNano(),
		Runbook: policy.Runbook{
			Name: "restart.sh", Path: "/srv/restart.sh.asc", Kind: "bash", Verdict: "valid",
			SHA256: runbook.DigestOf([]byte("file")), PayloadSHA256: runbook.DigestOf([]byte("payload")), Size: 4,
		},
		Signatures: []policy.Signature{{
			Format: "clearsign", Verdict: "valid", SignedAtSource: "claimed", NotPassed: []string{},
			Signer: policy.Signer{IDs: []string{"openpgp:0123456789ABCDEF0123456789ABCDEF01234567"}},
		}},
		Findings:   []policy.Finding{},
		Caller:     policy.Caller{Kind: "os-user", ID: "os:alice", Groups: []string{}, GroupsComplete: true, Roles: []string{}, Assurance: "real-uid"},
		Worker:     policy.Worker{ID: "w1", Group: "web", OS: "linux", Labels: map[string]string{}},
		Parameters: map[string]string{}, Approvals: []policy.Approval{},
		Trust: policy.Trust{Digest: runbook.DigestOf([]byte("trust"))},
	}
}

// TestTheEngineOfAStoreDeniesWhatIsOver: the store hands the policy out, and the
// decision says that it must not decide.
func TestTheEngineOfAStoreDeniesWhatIsOver(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.activate(3)
	active, err := p.open().Load()
	if err != nil {
		t.Fatal(err)
	}
	for now, want := range map[time.Time]string{
		noon: "", noon.Add(24*time.Hour - 1): "", noon.Add(24 * time.Hour): "policy-expired", noon.Add(-time.Hour - 1): "policy-not-yet",
	} {
		d := active.Engine.Decide(t.Context(), question(now))
		if d.Allow != (want == "") || want != "" && (len(d.Deny) != 1 || d.Deny[0].Code != want) {
			t.Errorf("at %s: %+v, want %q", now, d, want)
		}
	}
}
