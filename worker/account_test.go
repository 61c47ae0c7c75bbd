//go:build linux

package worker_test

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker"
)

// known skips if this machine has no such account.
func known(t *testing.T, name string) *user.User {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Skipf("skipped: this machine has no account %q", name)
	}
	return u
}

const whoAmI = `id -u; id -g; id -G; stat -c '%u %a' "$HOME" "$TMPDIR" .; echo "$USER $LOGNAME"; touch "$HOME/a" "$TMPDIR/b" c && echo written; umask
grep -h '^Cap\(Prm\|Eff\|Amb\)' /proc/self/status
`

func TestARunbookRunsAsTheAccountThatThePolicyNames(t *testing.T) {
	t.Parallel()
	asRoot(t)
	for _, profile := range profilesOf() {
		for _, name := range []string{"nobody", "root"} {
			t.Run(name+" in "+profile, func(t *testing.T) {
				t.Parallel()
				u := known(t, name)
				g := newGate(t, forNobody(t))
				g.user = name
				g.confine(profile)
				runsAs(t, u, g.must(g.run("r.sh", whoAmI)), profile)
			})
		}
	}
}

// runsAs checks what whoAmI says.
func runsAs(t *testing.T, u *user.User, o outcome, profile string) {
	t.Helper()
	ids, err := u.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	got := lines(o.stdout)
	if len(got) != 12 {
		t.Fatalf("%s%s", o.stdout, o.stderr)
	}
	groups := strings.Fields(got[2])
	slices.Sort(groups)
	slices.Sort(ids)
	if diff := cmp.Diff(slices.Compact(ids), slices.Compact(groups)); diff != "" {
		t.Error(diff)
	}
	folder := u.Uid + " 700"
	want := []string{u.Uid, u.Gid, got[2], folder, folder, folder, u.Username + " " + u.Username, "written", "0077"}
	if profile == policy.SandboxStrict {
		want[4] = got[4] // a /tmp of its own, with the mode of all /tmp
	}
	if diff := cmp.Diff(want, got[:9]); diff != "" {
		t.Error(diff)
	}
	for _, line := range got[9:] {
		if u.Uid != "0" && strings.Trim(strings.Fields(line)[1], "0") != "" {
			t.Errorf("it has capabilities: %s", line)
		}
	}
}

func TestARunbookOfRootsGateIsNobodyUnlessSomebodySaysOtherwise(t *testing.T) {
	t.Parallel()
	asRoot(t)
	for want, configured := range map[string]string{worker.DefaultUser: "", "daemon": "daemon"} {
		u := known(t, want)
		g := newGate(t, forNobody(t), func(o *worker.Options) { o.User = configured })
		g.user = nobodyNamed
		if o := g.must(g.run("r.sh", "id -u\n")); o.stdout != u.Uid+"\n" {
			t.Errorf("%q: it ran as %s", configured, o.stdout)
		}
	}
}

// TestAttackNobodyIsMadeRootUnlessTheRuleNamesIt: neither by leaving the user out,
// nor by the configuration.
func TestAttackNobodyIsMadeRootUnlessTheRuleNamesIt(t *testing.T) {
	t.Parallel()
	g := newGate(t, func(o *worker.Options) { o.User = "root" })
	g.user = nobodyNamed
	o := g.run("r.sh", "echo EVIL\n")
	bad, ok := asError[*worker.AccountError](o.err)
	if !ok || bad.Account != "root" || o.Started || !strings.Contains(bad.Reason, "only a rule") {
		t.Errorf("%v, %+v", o.err, o.Result)
	}
	if codes := worker.Codes(o.Result, o.err); len(codes) != 1 || codes[0] != "account" || worker.ExitCode(o.Result, o.err) != worker.ExitGateFailure {
		t.Errorf("%v", codes)
	}
	if types, _ := g.records(); len(types) != 1 || types[0] != ledger.TypeDecision {
		t.Errorf("recorded %v", types)
	}
}

func TestAnAccountThatCannotBeUsedStartsNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"writ-no-such-account", `CONTOSO\root`, "root@corp.example.org", `CONTOSO\nobody`} {
		g := newGate(t)
		g.user = name
		o := g.run("r.sh", "echo EVIL\n")
		bad, ok := asError[*worker.ObligationError](o.err)
		if !ok || bad.Name != "user" || bad.Value != name || o.Started || worker.ExitCode(o.Result, o.err) != worker.ExitGateFailure {
			t.Errorf("%s: %v, %+v", name, o.err, o.Result)
		}
	}
	for _, name := range []string{"0", "a b", `A\B@c`, "-x"} {
		o := newGate(t).options
		o.User = name
		_, err := worker.New(o)
		if _, ok := asError[*worker.AccountError](err); !ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// An ordinary user's gate: as who it is, and as nobody else.
func TestAGateThatIsNotRootRunsRunbooksAsItselfOnly(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("skipped: this is about a gate that is not root; TestNothingIsLeftBehindForAnOrdinaryUser starts one")
	}
	ownAccountOnly(t)
}

func ownAccountOnly(t *testing.T) {
	t.Helper()
	own, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err != nil {
		t.Fatal(err)
	}
	for _, configured := range []string{"", own.Username} {
		for _, named := range []string{nobodyNamed, own.Username} {
			g := newGate(t, func(o *worker.Options) { o.User = configured })
			g.user = named
			if o := g.must(g.run("r.sh", "id -u; echo $USER\n")); o.stdout != own.Uid+"\n"+own.Username+"\n" {
				t.Errorf("%q, %q: it ran as %s", configured, named, o.stdout)
			}
		}
	}
	for _, other := range []string{"root", "daemon"} {
		g := newGate(t)
		g.user = other
		o := g.run("r.sh", "echo EVIL\n")
		if _, ok := asError[*worker.ObligationError](o.err); !ok || o.Started {
			t.Errorf("%s: %v", other, o.err)
		}
		g = newGate(t, func(o *worker.Options) { o.User = other })
		g.user = nobodyNamed
		o = g.run("r.sh", "echo EVIL\n")
		if _, ok := asError[*worker.AccountError](o.err); !ok || o.Started {
			t.Errorf("%s: %v", other, o.err)
		}
	}
}

func TestAnotherAccountReadsItsScriptAndItsParameters(t *testing.T) {
	t.Parallel()
	asRoot(t)
	known(t, worker.DefaultUser)
	for _, profile := range profilesOf() {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, forNobody(t))
			g.user = worker.DefaultUser
			g.confine(profile)
			readDocument(t, g)
		})
	}
}

// TestAttackTheAccountOfARunbookCannotChangeItsScript: nor the files beside it, where it
// reads them from a folder.
func TestAttackTheAccountOfARunbookCannotChangeItsScript(t *testing.T) {
	t.Parallel()
	asRoot(t)
	known(t, worker.DefaultUser)
	g := newGate(t, forNobody(t), standIn(t, `cat "$4" || exit 9
for f in "$4" "$(dirname "$4")" "$(dirname "$4")/new"; do
  { chmod 777 "$f"; } 2>/dev/null && echo "EVIL chmod $f"
  { echo EVIL >> "$f"; } 2>/dev/null && echo "EVIL write $f"
done
{ mv "$4" "$4.old" || rm -f "$4"; } 2>/dev/null && echo EVIL moved
ls "$(dirname "$(dirname "$4")")" 2>/dev/null && echo EVIL listed
exit 0
`))
	g.user = worker.DefaultUser
	if o := g.must(g.run("r.ps1", "Get-Content\n")); o.stdout != "Get-Content\n" {
		t.Errorf("%s%s", o.stdout, o.stderr)
	}
}

// TestAttackNoContextOfOneJobReachesTheNext: what a job leaves where Azure's tools,
// and others, keep who has logged in is gone with it.
func TestAttackNoContextOfOneJobReachesTheNext(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	leave := `for d in "$HOME/.Azure" "$HOME/.azure" "$AZURE_CONFIG_DIR" "$HOME/.local/share/.IdentityService" "$HOME/.config/gcloud" "$HOME/.aws" "$HOME/.kube" "$TMPDIR/tokens"; do
  mkdir -p "$d" && echo token > "$d/AzureRmContext.json"
done
echo "token" > "$HOME/.netrc"
find "$HOME" "$TMPDIR" -type f | wc -l
`
	look := `find "$HOME" "$TMPDIR" "$AZURE_CONFIG_DIR" . -mindepth 1 2>/dev/null | wc -l; case "$AZURE_CONFIG_DIR" in "$HOME"/*) echo inside;; esac` + "\n"
	if o := g.must(g.run("r.sh", leave)); o.stdout == "0\n" {
		t.Errorf("it left nothing: %s", o.stdout)
	}
	if o := g.must(g.run("r.sh", look)); o.stdout != "0\ninside\n" {
		t.Errorf("the next job finds %s", o.stdout)
	}
}

// TestAPolicyThatNamesAHomeDoesNotShareTheContextOfAzure: az is told another place
// than HOME.
func TestAPolicyThatNamesAHomeDoesNotShareTheContextOfAzure(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	home := filepath.Join(g.dir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	g.env = []string{"HOME=" + home}
	o := g.must(g.run("r.sh", `mkdir -p "$AZURE_CONFIG_DIR"; touch "$AZURE_CONFIG_DIR/token"; echo "$HOME"`+"\n"))
	if left, err := os.ReadDir(home); err != nil || len(left) != 0 || o.stdout != fmt.Sprintln(home) {
		t.Errorf("%v, %v, %s", left, err, o.stdout)
	}
}
