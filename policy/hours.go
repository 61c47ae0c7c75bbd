package policy

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/lazyregexp"
	"github.com/runwrit/writ/internal/strictyaml"
)

// hours are times of the week at which a rule holds, by the clock of a zone.
type hours struct {
	Said  string // as it stands in grants.yaml
	Zone  string
	Spans []span
}

// span is a part of some days: from the minute From, before the minute To. Days
// are the names that Rego has for them.
type span struct {
	Days     []string
	From, To int
}

const minutesOfDay = 24 * 60

var (
	dayWords = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	dayNames = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

	clockForm = lazyregexp.New(`^(?:[01][0-9]|2[0-3]):[0-5][0-9]$`)
)

// readHours reads the hours of a rule, each a span of the days that are listed.
func (g *grants) readHours(t *tree, n *yaml.Node, field string) []hours {
	var list []hours
	for i, item := range t.Items(n, field, maxHours) {
		at := fmt.Sprintf("%s[%d]", field, i)
		f := t.Fields(item, at, "zone", "days", "from", "to")
		var h hours
		if v := t.Need(f, item, at, "zone"); v != nil {
			h.Zone = t.Word(v, at+".zone", g.zoneProblem)
		}
		var days []string
		if v := t.Need(f, item, at, "days"); v != nil {
			days = t.List(v, at+".days", func(s string) string { return strictyaml.OneOf("day", s, dayWords) })
		}
		from, to := t.Need(f, item, at, "from"), t.Need(f, item, at, "to")
		if from == nil || to == nil {
			continue
		}
		begin := t.Word(from, at+".from", func(s string) string { return clockProblem(s, false) })
		end := t.Word(to, at+".to", func(s string) string { return clockProblem(s, true) })
		if begin == end && begin != "" {
			t.Problem(to, at+".to", "is the time of from: the end is not part of the hours, so that they would hold no time; all day is from 00:00 to 24:00")
		}
		if len(t.Problems) > 0 {
			continue
		}
		h.Said = fmt.Sprintf("%s %s-%s %s", strings.Join(days, ","), begin, end, h.Zone)
		h.Spans = spans(days, minuteOf(begin), minuteOf(end))
		list = append(list, h)
	}
	return list
}

// spans divides hours that go over midnight: the days are those on which they
// begin.
func spans(days []string, from, to int) []span {
	var these, next []string
	for i, word := range dayWords {
		for _, d := range days {
			if d == word {
				these = append(these, dayNames[i])
				next = append(next, dayNames[(i+1)%len(dayNames)])
			}
		}
	}
	if from < to {
		return []span{{these, from, to}}
	}
	return []span{{these, from, minutesOfDay}, {next, 0, to}}
}

func clockProblem(s string, end bool) string {
	switch {
	case clockForm.MatchString(s) || end && s == "24:00":
		return ""
	case s == "24:00":
		return "is the end of a day, and hours begin at 23:59 at the latest"
	}
	return "want a time such as 08:00 or 17:30"
}

// minuteOf is the minute of the day of a time that has no problem.
func minuteOf(clock string) int {
	return 60*(10*int(clock[0]-'0')+int(clock[1]-'0')) + 10*int(clock[3]-'0') + int(clock[4]-'0')
}

// hoursTerm is what the library reads of the hours of a rule.
func hoursTerm(list []hours) *ast.Term {
	terms := make([]*ast.Term, 0, len(list))
	for _, h := range list {
		parts := make([]*ast.Term, 0, len(h.Spans))
		for _, s := range h.Spans {
			parts = append(parts, ast.ObjectTerm(
				item("days", texts(s.Days)), item("from", ast.IntNumberTerm(s.From)), item("to", ast.IntNumberTerm(s.To)),
			))
		}
		terms = append(terms, ast.ObjectTerm(
			item("said", ast.StringTerm(h.Said)), item("zone", ast.StringTerm(h.Zone)), item("spans", ast.ArrayTerm(parts...)),
		))
	}
	return ast.ArrayTerm(terms...)
}
