package policytest

import (
	"math"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"

	"github.com/runwrit/writ/policy"
)

// Coverage says what the tests prove.
type Coverage struct {
	Rules RuleCoverage `json:"rules"`
	// Rego is nil for a policy without .rego files.
	Rego *RegoCoverage `json:"rego"`
}

// Percent is the lower one of both coverages.
func (c Coverage) Percent() float64 {
	if c.Rego == nil {
		return c.Rules.Percent
	}
	return min(c.Rules.Percent, c.Rego.Percent)
}

// RuleCoverage is about grants.yaml. Each rule must have allowed once, and each of
// its parts must once have been the only one that did not hold.
type RuleCoverage struct {
	Covered int            `json:"covered"`
	Total   int            `json:"total"`
	Percent float64        `json:"percent"` // 0 to 100, rounded down to a tenth
	Missing []UntestedPart `json:"missing"`
}

// UntestedPart is what no test shows of a rule.
type UntestedPart struct {
	Rule string `json:"rule"`
	Line int    `json:"line"` // in grants.yaml
	// Part is the key of the rule that never denied alone; "" for a rule that never
	// allowed.
	Part string `json:"part"`
}

// RegoCoverage is about the user's .rego files.
type RegoCoverage struct {
	Covered int            `json:"covered"` // lines
	Total   int            `json:"total"`
	Percent float64        `json:"percent"`
	Missing []UntestedLine `json:"missing"`
}

// UntestedLine is a line of a .rego file that no test evaluated.
type UntestedLine struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

// percent is rounded down, so that only all is 100. Of nothing it is all.
func percent(covered, total int) float64 {
	if total == 0 {
		return 100
	}
	return math.Floor(float64(covered)*1000/float64(total)) / 10
}

// ruleCoverage collects what each rule did.
type ruleCoverage struct {
	rules []ruleOutline
	// allowed by the name of a rule, and denied by the names of a rule and its part.
	allowed map[string]bool
	denied  map[[2]string]bool
	known   map[string]bool // parts that the engine answers for
}

func newRuleCoverage(o *outline) *ruleCoverage {
	return &ruleCoverage{rules: o.rules, allowed: map[string]bool{}, denied: map[[2]string]bool{}, known: map[string]bool{}}
}

func (c *ruleCoverage) add(x *policy.Explanation) {
	for _, r := range x.Rules {
		var lacking []string
		for _, p := range r.Parts {
			c.known[p.Part] = true
			if !p.Holds {
				lacking = append(lacking, p.Part)
			}
		}
		switch {
		case len(lacking) == 1:
			c.denied[[2]string{r.Name, lacking[0]}] = true
		case r.Holds && slices.Contains(x.Decision.Rules, r.Name):
			c.allowed[r.Name] = true
		}
	}
}

func (c *ruleCoverage) report() RuleCoverage {
	r := RuleCoverage{Missing: []UntestedPart{}}
	count := func(rule ruleOutline, part string, done bool) {
		r.Total++
		if done {
			r.Covered++
		} else {
			r.Missing = append(r.Missing, UntestedPart{Rule: rule.name, Line: rule.line, Part: part})
		}
	}
	for _, rule := range c.rules {
		count(rule, "", c.allowed[rule.name])
		for _, part := range rule.parts {
			if c.known[part] {
				count(rule, part, c.denied[[2]string{rule.name, part}])
			}
		}
	}
	r.Percent = percent(r.Covered, r.Total)
	return r
}

// linesOf reports on the lines of the user's files.
func linesOf(src policy.Source, lines *cover.Cover) *RegoCoverage {
	if len(src.Rego) == 0 {
		return nil
	}
	modules := map[string]*ast.Module{}
	for _, f := range src.Rego {
		m, err := ast.ParseModuleWithOpts(f.Name, string(f.Data), ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err == nil { // the engine has parsed it before
			modules[f.Name] = m
		}
	}
	report := lines.Report(modules)
	c := &RegoCoverage{Missing: []UntestedLine{}}
	for _, f := range src.Rego {
		of := report.Files[f.Name]
		if of == nil {
			continue
		}
		c.Covered += of.CoveredLines
		c.Total += of.CoveredLines + of.NotCoveredLines
		for _, r := range of.NotCovered {
			for line := r.Start.Row; line <= r.End.Row; line++ {
				if missing := (UntestedLine{f.Name, line}); !slices.Contains(c.Missing, missing) {
					c.Missing = append(c.Missing, missing)
				}
			}
		}
	}
	c.Percent = percent(c.Covered, c.Total)
	return c
}
