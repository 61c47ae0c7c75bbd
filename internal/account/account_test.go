package account_test

import (
	"errors"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/account"
)

func TestTheThreeFormsOfANameAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		"alice":                         {"alice", ""},
		"_apt":                          {"_apt", ""},
		"web-01$":                       {"web-01$", ""},
		"a.b_c-d":                       {"a.b_c-d", ""},
		"1st":                           {"1st", ""},
		`CONTOSO\alice`:                 {"alice", "CONTOSO"},
		`corp.example.org\svc.web`:      {"svc.web", "corp.example.org"},
		`CONTOSO\gmsa$`:                 {"gmsa$", "CONTOSO"},
		"alice@corp.example.org":        {"alice", "corp.example.org"},
		"svc-runbooks@CORP.example.org": {"svc-runbooks", "CORP.example.org"},
		strings.Repeat("a", 64):         {strings.Repeat("a", 64), ""},
		`NT_1\a`:                        {"a", "NT_1"},
		"alice@" + "xn--bcher-kva.eu":   {"alice", "xn--bcher-kva.eu"},
	} {
		n, err := account.Parse(text)
		if err != nil || n.User() != want[0] || n.Domain() != want[1] || n.String() != text {
			t.Errorf("%q: %q in %q, %v", text, n.User(), n.Domain(), err)
		}
		if bad := account.Problem(text); bad != "" {
			t.Errorf("%q: %s", text, bad)
		}
	}
}

func TestWhatNamesNoAccountIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", " ", "0", "1000", `CONTOSO\0`, "0@corp", "-u", "--", "a b", "alice ", " alice", "alice\n", "al\x00ice", "\u0430lice", "alice\u202e",
		`\alice`, `CONTOSO\`, `.\alice`, "@corp", "alice@", `A\B\alice`, "alice@a@b", `CONTOSO\alice@corp`, `alice@corp\x`, "alice@.corp", "alice@corp.",
		"alice@a..b", "alice@-corp", "a:b", "alice:x:0:0", "a,b", "a/b", "../root", "a$b", "$", "root;id", "alice@[::1]", `CON TOSO\alice`,
		strings.Repeat("a", 65), "a@" + strings.Repeat("a.", 200) + "b", "a@" + strings.Repeat("b", 64), "+alice", "*", "alice\\\\x",
	} {
		n, err := account.Parse(text)
		var bad *account.NameError
		if !errors.As(err, &bad) || bad.Text != text || n != (account.Name{}) || account.Problem(text) == "" || !strings.HasPrefix(err.Error(), "account ") {
			t.Errorf("%q: %+v, %v", text, n, err)
		}
	}
}

func TestAccountsOfThisMachineAreFound(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"root", "nobody"} {
		want, err := user.Lookup(name)
		if err != nil {
			t.Skipf("skipped: this machine has no account %q", name)
		}
		n, err := account.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := account.System().Lookup(n)
		if err != nil || got.Name.String() != name || got.Root() != (want.Uid == "0") || !slices.Contains(got.Groups, got.GID) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestAnAccountThatThisMachineDoesNotKnowIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"writ-no-such-account", `CONTOSO\root`, "root@corp.example.org", `localhost\nobody`} {
		_, err := account.System().Lookup(parse(t, name))
		var bad *account.Error
		if !errors.As(err, &bad) || bad.Code != account.CodeUnknown || !strings.Contains(err.Error(), bad.Account) || bad.Account != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func parse(t *testing.T, name string) account.Name {
	t.Helper()
	n, err := account.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// directory stands for a machine that is a member of a domain, which the machine of the tests
// is not: its entries are what the system answers to a name.
func directory(entries map[string]user.User, groups map[string][]string) account.Database {
	return account.Database{
		User: func(name string) (*user.User, error) {
			u, ok := entries[name]
			if !ok {
				return nil, user.UnknownUserError(name)
			}
			return &u, nil
		},
		GroupIDs: func(u *user.User) ([]string, error) {
			ids, ok := groups[u.Username]
			if !ok {
				return nil, errors.New("not known")
			}
			return ids, nil
		},
	}
}

// TestAttackALocalAccountOfTheSameNameIsNotTheDomains: the name is asked for as a
// whole, the groups too.
func TestAttackALocalAccountOfTheSameNameIsNotTheDomains(t *testing.T) {
	t.Parallel()
	db := directory(map[string]user.User{
		"alice":              {Username: "alice", Uid: "1000", Gid: "1000"},
		`CONTOSO\alice`:      {Username: "alice", Uid: "70001", Gid: "70000"},
		"alice@contoso.test": {Username: `CONTOSO\Alice`, Uid: "70001", Gid: "70000"},
		`CONTOSO\bob`:        {Username: "root", Uid: "0", Gid: "0"},
		"carol":              {Username: "carol@contoso.test", Uid: "70003", Gid: "70000"},
		"ROOT":               {Username: "root", Uid: "0", Gid: "0"},
		`CONTOSO\toor`:       {Username: "toor", Uid: "0", Gid: "70000"},
		`CONTOSO\highest`:    {Username: "highest", Uid: "4294967295", Gid: "1"},
		`CONTOSO\negative`:   {Username: "negative", Uid: "-2", Gid: "1"},
		`CONTOSO\odd`:        {Username: "odd", Uid: "7", Gid: "x"},
		`CONTOSO\oddgroup`:   {Username: "oddgroup", Uid: "7", Gid: "7"},
		`CONTOSO\nogroups`:   {Username: "nogroups", Uid: "7", Gid: "7"},
		`CONTOSO\nameless`:   {Username: "", Uid: "7", Gid: "7"},
		`CONTOSO\manygroups`: {Username: "manygroups", Uid: "7", Gid: "7"},
	}, map[string][]string{
		"alice": {"1000", "27"}, `CONTOSO\alice`: {"70002", "70000", "70002"}, "alice@contoso.test": {"70000"}, `CONTOSO\toor`: {"70000"},
		`CONTOSO\oddgroup`: {"4294967295"}, `CONTOSO\manygroups`: many(65_537),
	})
	for name, want := range map[string]*account.Account{
		"alice":              {UID: 1000, GID: 1000, Groups: []uint32{27, 1000}},
		`CONTOSO\alice`:      {UID: 70001, GID: 70000, Groups: []uint32{70000, 70002}},
		"alice@contoso.test": {UID: 70001, GID: 70000, Groups: []uint32{70000}},
		`CONTOSO\toor`:       {UID: 0, GID: 70000, Groups: []uint32{70000}},
	} {
		want.Name = parse(t, name)
		got, err := db.Lookup(want.Name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b account.Name) bool { return a == b })); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if got.Root() != (want.UID == 0) {
			t.Errorf("%s: root %v", name, got.Root())
		}
	}
	for name, code := range map[string]string{
		`CONTOSO\bob`: account.CodeOther, "carol": account.CodeOther, "ROOT": account.CodeOther, `CONTOSO\nameless`: account.CodeOther,
		`CONTOSO\highest`: account.CodeOdd, `CONTOSO\negative`: account.CodeOdd, `CONTOSO\odd`: account.CodeOdd, `CONTOSO\oddgroup`: account.CodeOdd,
		`CONTOSO\manygroups`: account.CodeOdd, `CONTOSO\nogroups`: account.CodeNoAnswer, `OTHER\alice`: account.CodeUnknown,
	} {
		got, err := db.Lookup(parse(t, name))
		var bad *account.Error
		if !errors.As(err, &bad) || bad.Code != code || got != nil {
			t.Errorf("%s: %+v, %v, want %s", name, got, err, code)
		}
	}
}

func many(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = strconv.Itoa(i + 1)
	}
	return ids
}

func TestADatabaseThatFailsIsNoAnswer(t *testing.T) {
	t.Parallel()
	db := account.Database{User: func(string) (*user.User, error) { return nil, errors.New("the domain is away") }}
	_, err := db.Lookup(parse(t, `CONTOSO\alice`))
	var bad *account.Error
	if !errors.As(err, &bad) || bad.Code != account.CodeNoAnswer || !strings.Contains(bad.Reason, "away") {
		t.Error(err)
	}
	if _, err := account.System().Lookup(account.Name{}); !errors.As(err, &bad) || bad.Code != account.CodeUnknown {
		t.Errorf("the zero name: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"root", `D\u`, "u@d.e", `a\b@c`, "0", "", "a@b@c", "$"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := account.Parse(s)
		if err != nil {
			return
		}
		if n.String() != s || n.User() == "" {
			t.Fatalf("%q: %+v", s, n)
		}
		switch s {
		case n.User(), n.Domain() + `\` + n.User(), n.User() + "@" + n.Domain():
		default:
			t.Fatalf("%q does not come from %q and %q", s, n.Domain(), n.User())
		}
	})
}
