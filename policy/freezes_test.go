package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/policy"
)

func atTime(t *testing.T, at string) policy.Input {
	t.Helper()
	now, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		t.Fatal(err)
	}
	in := good()
	in.NowNS = now.UnixNano()
	return in
}

func freezeGrants(freeze string) string {
	return peopleYAML + restartRule + "freezes:\n  - {name: year-end, " + freeze + ", reason: \"no changes, see 4711\"}\n"
}

func TestAFreezeDeniesFromItsBeginningUntilItsEnd(t *testing.T) {
	t.Parallel()
	const oslo = "zone: Europe/Oslo"
	for name, c := range map[string]struct {
		freeze, at string
		frozen     bool
	}{
		"before it":                 {`from: "2026-12-20T18:00", to: "2026-12-27T06:00", ` + oslo, "2026-12-20T17:59:59.999999999+01:00", false},
		"its first moment":          {`from: "2026-12-20T18:00", to: "2026-12-27T06:00", ` + oslo, "2026-12-20T18:00:00+01:00", true},
		"its last moment":           {`from: "2026-12-20T18:00", to: "2026-12-27T06:00", ` + oslo, "2026-12-27T05:59:59.999999999+01:00", true},
		"its end":                   {`from: "2026-12-20T18:00", to: "2026-12-27T06:00", ` + oslo, "2026-12-27T06:00:00+01:00", false},
		"the beginning of a day":    {`from: "2026-12-20", to: "2026-12-27", ` + oslo, "2026-12-19T23:00:00Z", true},
		"the day before":            {`from: "2026-12-20", to: "2026-12-27", ` + oslo, "2026-12-19T22:59:59Z", false},
		"the last day, to its end":  {`from: "2026-12-20", to: "2026-12-27", ` + oslo, "2026-12-27T23:59:59+01:00", true},
		"the day after":             {`from: "2026-12-20", to: "2026-12-27", ` + oslo, "2026-12-28T00:00:00+01:00", false},
		"one day":                   {`from: "2026-12-24", to: "2026-12-24", ` + oslo, "2026-12-24T12:00:00Z", true},
		"a zone that never changes": {`from: "2026-12-24", to: "2026-12-24", zone: UTC`, "2026-12-24T12:00:00Z", true},

		// 2026-03-29 from 02:00 to 03:00: the clocks never show 02:30.
		"from a time that is left out": {`from: "2026-03-29T02:30", to: "2026-04-01", ` + oslo, "2026-03-29T01:00:00Z", true},
		"just before it is left out":   {`from: "2026-03-29T02:30", to: "2026-04-01", ` + oslo, "2026-03-29T00:59:59Z", false},
		"to a time that is left out":   {`from: "2026-03-28", to: "2026-03-29T02:30", ` + oslo, "2026-03-29T00:59:59Z", true},
		"when it is left out":          {`from: "2026-03-28", to: "2026-03-29T02:30", ` + oslo, "2026-03-29T01:00:00Z", false},
		// 2026-10-25 from 03:00 back to 02:00: 02:30 comes twice, at 00:30 and 01:30 UTC.
		"from a time that comes twice, the first": {`from: "2026-10-25T02:30", to: "2026-10-26", ` + oslo, "2026-10-25T00:30:00Z", true},
		"before the first":                        {`from: "2026-10-25T02:30", to: "2026-10-26", ` + oslo, "2026-10-25T00:29:59Z", false},
		"between the two":                         {`from: "2026-10-25T02:30", to: "2026-10-26", ` + oslo, "2026-10-25T01:10:00Z", true},
		"to a time that comes twice, after one":   {`from: "2026-10-24", to: "2026-10-25T02:30", ` + oslo, "2026-10-25T00:45:00Z", true},
		"to a time that comes twice, the second":  {`from: "2026-10-24", to: "2026-10-25T02:30", ` + oslo, "2026-10-25T01:29:59Z", true},
		"after the second":                        {`from: "2026-10-24", to: "2026-10-25T02:30", ` + oslo, "2026-10-25T01:30:00Z", false},
		// Samoa had no 30 December 2011.
		"from a day that was left out": {`from: "2011-12-30", to: "2011-12-31", zone: Pacific/Apia`, "2011-12-30T10:00:00Z", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := engine(t, freezeGrants(c.freeze)).Decide(t.Context(), atTime(t, c.at))
			if c.frozen {
				mustDeny(t, d, "freeze")
			} else {
				mustAllow(t, d)
			}
		})
	}
}

func TestAFreezeHoldsForWhatItNames(t *testing.T) {
	t.Parallel()
	const always = `from: "2026-01-01", to: "2026-12-31", zone: UTC`
	for name, c := range map[string]struct {
		freeze string
		frozen bool
	}{
		"everything":                      {always, true},
		"the path":                        {always + `, match: {paths: ["/srv/**"]}`, true},
		"the very path":                   {always + `, match: {paths: ["/srv/runbooks/restart.sh"]}`, true},
		"another path":                    {always + `, match: {paths: ["/opt/**"]}`, false},
		"another path that may fit":       {always + `, match: {paths: ["/srv/runbooks/?.sh"]}`, false},
		"the kind":                        {always + `, match: {kinds: [bash]}`, true},
		"another kind":                    {always + `, match: {kinds: [python]}`, false},
		"the group":                       {always + `, workers: {groups: [web]}`, true},
		"another group":                   {always + `, workers: {groups: [db]}`, false},
		"the label":                       {always + `, workers: {labels: {env: [test, prod]}}`, true},
		"another label":                   {always + `, workers: {labels: {env: prod}}`, false},
		"the path, on another group":      {always + `, match: {paths: ["/srv/**"]}, workers: {groups: [db]}`, false},
		"another digest":                  {always + `, match: {sha256: ["` + strings.Repeat("a", 64) + `"]}`, false},
		"another digest, and the payload": {always + `, match: {sha256: ["` + strings.Repeat("a", 64) + `", "` + good().Runbook.PayloadSHA256.String() + `"]}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := engine(t, freezeGrants(c.freeze)).Decide(t.Context(), good())
			if !c.frozen {
				mustAllow(t, d)
				return
			}
			mustDeny(t, d, "freeze")
			if r := d.Deny[0]; r.Rule != "writ/freezes" || !strings.Contains(r.Msg, "year-end, until 2026-12-31 UTC: no changes, see 4711") {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestFreezesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	whole := freezeGrants(`from: "2026-12-20", to: "2026-12-27T06:00", zone: Europe/Oslo, match: {kinds: [bash]}, workers: {groups: [web]}`)
	tests := []struct{ name, old, new, want string }{
		{"an unknown key", "zone:", "zones:", `freezes[0].zones: unknown key; did you mean "zone"?`},
		{"no name", "name: year-end, ", "", "freezes[0].name: is missing"},
		{"no reason", ", reason: \"no changes, see 4711\"", "", "freezes[0].reason: is missing"},
		{"no zone", ", zone: Europe/Oslo", "", "freezes[0].zone: is missing"},
		{"no from", `from: "2026-12-20", `, "", "freezes[0].from: is missing"},
		{"no to", `to: "2026-12-27T06:00", `, "", "freezes[0].to: is missing"},
		{"an unknown zone", "Europe/Oslo", "Europe/Atlantis", "freezes[0].zone: \"Europe/Atlantis\": want the name of a time zone"},
		{"a day that YAML takes for a date", `"2026-12-20"`, "2026-12-20", `freezes[0].from: want a text, found a date; quote it: "2026-12-20"`},
		{"a day that is none", "2026-12-20", "2026-02-30", "freezes[0].from: \"2026-02-30\": want a day such as"},
		{"a time with a zone of its own", "2026-12-27T06:00", "2026-12-27T06:00Z", "freezes[0].to: \"2026-12-27T06:00Z\": want a day such as"},
		{"a time with seconds", "2026-12-27T06:00", "2026-12-27T06:00:00", "want a day such as"},
		{"a year that nothing counts", "2026-12-20", "1970-12-20", "want a day such as"},
		{"a far year", "2026-12-27T06:00", "2262-01-01T06:00", "want a day such as"},
		{"an end before the beginning", "2026-12-27T06:00", "2026-12-19T06:00", "freezes[0].to: 2026-12-19T06:00 is not after 2026-12-20"},
		{"no time at all", "2026-12-27T06:00", "2026-12-20T00:00", "is not after"},
		{"an empty match", "{kinds: [bash]}", "{}", "freezes[0].match: names nothing"},
		{"an unknown kind", "{kinds: [bash]}", "{kinds: [bsh]}", `unknown kind; did you mean "bash"?`},
		{"no workers", "{groups: [web]}", "{}", "freezes[0].workers: names nothing"},
		{"an odd name", "year-end", "year end", "freezes[0].name: \"year end\": want a name"},
		{"a name twice", "freezes:\n", "freezes:\n  - {name: year-end, from: \"2026-12-20\", to: \"2026-12-20\", zone: UTC, reason: x}\n", `freezes[1].name: "year-end" is the name of the freeze in line`},
		{"a reason too long", "no changes, see 4711", strings.Repeat("x", 513), "freezes[0].reason: "},
		{"an empty list", whole[strings.Index(whole, "freezes:"):], "freezes: []\n", "freezes: is empty"},
		{"too many", whole[strings.Index(whole, "freezes:"):], "freezes: [" + strings.Repeat("x, ", 1_000) + "x]\n", "freezes: has 1001 entries, the limit is 1000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := grantsProblems(t, strings.Replace(whole, tt.old, tt.new, 1)); !strings.Contains(got, tt.want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}
