package policy_test

import (
	"strings"
	"testing"
	"time"
)

func hoursRule(hours string) string {
	return peopleYAML + strings.Replace(restartRule, "    parameters:", "    hours: ["+hours+"]\n    parameters:", 1)
}

func TestARuleHoldsWithinItsHours(t *testing.T) {
	t.Parallel()
	const office = "{zone: Europe/Oslo, days: [mon, tue, wed, thu, fri], from: 08:00, to: 16:00}"
	const night = "{zone: Europe/Oslo, days: [fri], from: 22:00, to: 06:00}"
	const sunday = "{zone: Europe/Oslo, days: [sun], from: 02:30, to: 02:45}"
	for name, c := range map[string]struct {
		hours, at string
		open      bool
	}{
		"in the middle":                  {office, "2026-11-23T12:00:00+01:00", true},
		"the first moment":               {office, "2026-11-23T08:00:00+01:00", true},
		"just before it":                 {office, "2026-11-23T07:59:59.999999999+01:00", false},
		"the last moment":                {office, "2026-11-23T15:59:59.999999999+01:00", true},
		"the end":                        {office, "2026-11-23T16:00:00+01:00", false},
		"a day that is not listed":       {office, "2026-11-22T12:00:00+01:00", false},
		"the day of the zone, not UTC's": {"{zone: Pacific/Auckland, days: [mon], from: 00:00, to: 01:00}", "2026-11-22T11:30:00Z", true},
		"summer time":                    {office, "2026-07-01T06:00:00Z", true},
		"the same time in winter":        {office, "2026-12-01T06:00:00Z", false},

		"over midnight, before it":             {night, "2026-11-20T23:00:00+01:00", true},
		"over midnight, after it":              {night, "2026-11-21T05:59:00+01:00", true},
		"over midnight, its end":               {night, "2026-11-21T06:00:00+01:00", false},
		"over midnight, the next evening":      {night, "2026-11-21T22:00:00+01:00", false},
		"over midnight, the same morning":      {night, "2026-11-20T05:00:00+01:00", false},
		"over midnight of the week's last day": {strings.Replace(night, "fri", "sun", 1), "2026-11-23T05:00:00+01:00", true},
		"all day, its end":                     {strings.Replace(office, "from: 08:00, to: 16:00", "from: 00:00, to: 24:00", 1), "2026-11-23T23:59:59+01:00", true},
		"the second of two":                    {office + ", " + night, "2026-11-20T23:00:00+01:00", true},
		"none of two":                          {office + ", " + night, "2026-11-20T21:00:00+01:00", false},

		// Europe/Oslo 2026-03-29: at 02:00 the clocks are put forward to 03:00.
		"hours that the clocks leave out do not come": {sunday, "2026-03-29T01:00:00Z", false},
		"nor a moment before":                         {sunday, "2026-03-29T00:59:59Z", false},
		"hours into those left out end":               {strings.Replace(sunday, "02:30, to: 02:45", "01:30, to: 02:30", 1), "2026-03-29T00:59:59Z", true},
		"as soon as the clocks are put forward":       {strings.Replace(sunday, "02:30, to: 02:45", "01:30, to: 02:30", 1), "2026-03-29T01:00:00Z", false},
		"hours out of those left out begin then":      {strings.Replace(sunday, "02:30, to: 02:45", "02:30, to: 03:30", 1), "2026-03-29T01:00:00Z", true},
		// Europe/Oslo 2026-10-25: at 03:00 the clocks are put back to 02:00.
		"hours that the clocks show twice, once":      {sunday, "2026-10-25T00:30:00Z", true},
		"hours that the clocks show twice, between":   {sunday, "2026-10-25T01:00:00Z", false},
		"hours that the clocks show twice, again":     {sunday, "2026-10-25T01:30:00Z", true},
		"hours that the clocks show twice, their end": {sunday, "2026-10-25T01:45:00Z", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now, err := time.Parse(time.RFC3339Nano, c.at)
			if err != nil {
				t.Fatal(err)
			}
			in := good()
			in.NowNS = now.UnixNano()
			d := engine(t, hoursRule(c.hours)).Decide(t.Context(), in)
			if c.open {
				mustAllow(t, d)
			} else {
				mustDeny(t, d, "outside-hours")
			}
		})
	}
}

func TestHoursAreNamedAsTheyStandInTheFile(t *testing.T) {
	t.Parallel()
	d := engine(t, hoursRule("{zone: UTC, days: [wed, mon], from: 22:00, to: 01:30}")).Decide(t.Context(), good())
	mustDeny(t, d, "outside-hours")
	if !strings.Contains(d.Deny[0].Msg, "wed,mon 22:00-01:30 UTC") {
		t.Errorf("%+v", d.Deny)
	}
}

func TestHoursThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	const whole = "{zone: UTC, days: [mon], from: 08:00, to: 16:00}"
	tests := []struct{ name, old, new, want string }{
		{"an unknown zone", "UTC", "Europe/Olso", `grants.yaml:16:20: rules[0].hours[0].zone: "Europe/Olso": want the name of a time zone`},
		{"the zone of the machine", "UTC", "Local", "want the name of a time zone"},
		{"the zone of the machine by its file", "UTC", "localtime", "want the name of a time zone"},
		{"a path", "UTC", "../etc/passwd", "want the name of a time zone"},
		{"no zone", "zone: UTC, ", "", "rules[0].hours[0].zone: is missing"},
		{"no days", "days: [mon], ", "", "rules[0].hours[0].days: is missing"},
		{"no from", "from: 08:00, ", "", "rules[0].hours[0].from: is missing"},
		{"no to", ", to: 16:00", "", "rules[0].hours[0].to: is missing"},
		{"an unknown day", "[mon]", "[monday]", `rules[0].hours[0].days[0]: "monday": unknown day; known are mon, tue`},
		{"a day twice", "[mon]", "[mon, mon]", `"mon" stands in the list twice`},
		{"an unknown key", "days:", "day:", `rules[0].hours[0].day: unknown key; did you mean "days"?`},
		{"a time with one digit", "08:00", "8:00", "rules[0].hours[0].from: "},
		{"a time that is none", "16:00", "16:60", `rules[0].hours[0].to: "16:60": want a time such as 08:00`},
		{"a time after the last", "16:00", "24:01", "want a time such as 08:00"},
		{"hours that begin at the end", "08:00", "\"24:00\"", "is the end of a day"},
		{"hours of no time", "16:00", "08:00", "rules[0].hours[0].to: is the time of from"},
		{"an empty list", whole, "", "rules[0].hours: is empty"},
		{"a mapping", "[" + whole + "]", whole, "rules[0].hours: want a list"},
		{"too many", whole, strings.Repeat(whole+", ", 50) + whole, "rules[0].hours: has 51 entries, the limit is 50"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := grantsProblems(t, strings.Replace(hoursRule(whole), tt.old, tt.new, 1)); !strings.Contains(got, tt.want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}
