package policy

import (
	"slices"
	"strings"

	"github.com/runwrit/writ/internal/glob"
)

// index finds the rules whose match may fit a runbook, so that a decision costs
// the same whether there are ten rules or a hundred thousand. It may return
// rules that do not fit; it never leaves out one that does.
type index struct {
	path   map[string][]int32     // globs without wildcards
	base   map[string][]baseEntry // globs whose last segment is literal
	prefix map[string][]int32     // globs that begin with literal segments
	digest map[string][]int32
	rest   []int32
}

type baseEntry struct {
	prefix string
	rule   int32
}

func newIndex(rules []rule) *index {
	x := &index{path: map[string][]int32{}, base: map[string][]baseEntry{}, prefix: map[string][]int32{}, digest: map[string][]int32{}}
	for i, r := range rules {
		n := int32(i) // at most maxRules
		switch {
		case len(r.match.digests) > 0:
			for _, d := range r.match.digests {
				x.digest[d] = append(x.digest[d], n)
			}
		case len(r.match.paths) > 0:
			for _, text := range r.match.paths {
				x.addGlob(text, n)
			}
		default:
			x.rest = append(x.rest, n)
		}
	}
	return x
}

func (x *index) addGlob(text string, n int32) {
	prefix, base := glob.Literals(text)
	switch {
	case prefix == text:
		x.path[text] = append(x.path[text], n)
	case base != "":
		x.base[base] = append(x.base[base], baseEntry{prefix, n})
	case prefix != "":
		x.prefix[prefix] = append(x.prefix[prefix], n)
	default:
		x.rest = append(x.rest, n)
	}
}

// candidates returns the positions of the rules that may fit, in their order.
func (x *index) candidates(path string, digests ...string) []int32 {
	found := slices.Clone(x.rest)
	found = append(found, x.path[path]...)
	for _, e := range x.base[path[strings.LastIndexByte(path, '/')+1:]] {
		if strings.HasPrefix(path, e.prefix) {
			found = append(found, e.rule)
		}
	}
	for i := range len(path) {
		if path[i] == '/' {
			found = append(found, x.prefix[path[:i+1]]...)
		}
	}
	for _, d := range digests {
		found = append(found, x.digest[d]...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}
