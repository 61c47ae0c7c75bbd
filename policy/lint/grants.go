package lint

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/strictyaml"
	"github.com/runwrit/writ/policy"
)

// lintGrants looks at a grants.yaml that the engine accepted; rego are all files
// that give reasons.
func lintGrants(f *findings, data []byte, now time.Time, rego []policy.File) {
	t := &strictyaml.Tree{File: policy.GrantsFile, MaxSize: policy.MaxGrantsSize, MaxMarks: policy.MaxGrantsSize, MaxList: policy.MaxGrantsSize}
	root := t.Document(data)
	for _, rule := range strictyaml.Contents(strictyaml.Value(root, "rules")) {
		lintRule(f, rule)
	}
	used := map[string]bool{}
	names(root, used)
	for _, section := range []struct{ key, code string }{{"people", UnusedPerson}, {"groups", UnusedGroup}, {"roles", UnusedRole}} {
		for _, p := range strictyaml.Keys(strictyaml.Value(root, section.key)) {
			if !used[p.Value] {
				f.add(section.code, policy.GrantsFile, p.Line, p.Value)
			}
		}
	}
	for _, e := range strictyaml.Contents(strictyaml.Value(root, "exemptions")) {
		id, expires := strictyaml.Scalar(strictyaml.Value(e, "id")), strictyaml.Value(e, "expires")
		if at, err := time.Parse(time.RFC3339, strictyaml.Scalar(expires)); err == nil && !at.After(now) {
			f.add(ExpiredExemption, policy.GrantsFile, expires.Line, id)
		}
		for _, code := range strictyaml.Contents(strictyaml.Value(e, "codes")) {
			if !given(code.Value, rego) {
				f.add(UnknownCode, policy.GrantsFile, code.Line, id+": "+code.Value)
			}
		}
	}
}

// given says whether a reason may have the code: a file of Rego names it, or it is
// that of reasons without one.
func given(code string, rego []policy.File) bool {
	quoted := []byte(strconv.Quote(code))
	return code == "user-deny" || slices.ContainsFunc(rego, func(f policy.File) bool { return bytes.Contains(f.Data, quoted) })
}

func lintRule(f *findings, rule *yaml.Node) {
	name := strictyaml.Scalar(strictyaml.Value(rule, "name"))
	match := strictyaml.Value(rule, "match")
	all := func(n *yaml.Node) bool { return n.Value == "**" || n.Value == "/**" }
	if paths := strictyaml.Value(match, "paths"); slices.ContainsFunc(strictyaml.Contents(paths), all) && strictyaml.Value(match, "sha256") == nil {
		f.add(AnyPath, policy.GrantsFile, paths.Line, name)
	}
	if every := strictyaml.Value(strictyaml.Value(rule, "workers"), "any"); every != nil {
		f.add(AnyWorker, policy.GrantsFile, every.Line, name)
	}
	if anyone := strictyaml.Value(strictyaml.Value(rule, "requested_by"), "anyone"); anyone != nil {
		f.add(Anyone, policy.GrantsFile, anyone.Line, name)
	}
}

// notNames are keys under which no person, group or role is named.
var notNames = []string{"identities", "os_groups", "token_groups", "match", "workers", "parameters", "labels", "name", "run", "denied", "reason", "hours", "worker_groups", "id", "codes", "formats"}

// names collects what is said anywhere, but for where people, groups and roles are
// defined: a name among it may be meant.
func names(n *yaml.Node, used map[string]bool) {
	switch {
	case n == nil:
	case n.Kind == yaml.ScalarNode:
		used[n.Value] = true
	case n.Kind == yaml.SequenceNode:
		for _, c := range n.Content {
			names(c, used)
		}
	default:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !slices.Contains(notNames, n.Content[i].Value) {
				names(n.Content[i+1], used)
			}
		}
	}
}
