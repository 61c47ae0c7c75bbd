package strictyaml_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/strictyaml"
)

func newTree() *strictyaml.Tree {
	return &strictyaml.Tree{File: "f.yaml", MaxSize: 1 << 20, MaxMarks: 1_000, MaxList: 3}
}

func TestEveryProblemIsNamedWithItsPlace(t *testing.T) {
	t.Parallel()
	tree := newTree()
	root := tree.Document([]byte("nmae: x\nlist: [a, a, 1]\ncount: 07\nyes: false\n"))
	f := tree.Fields(root, "", "name", "list", "count", "yes")
	tree.Need(f, root, "", "name")
	tree.List(f["list"], "list", func(string) string { return "" })
	tree.Number(f["count"], "count", 1, 9)
	tree.Truth(f["yes"], "yes")
	var got []string
	for _, p := range tree.Problems {
		got = append(got, p.Error())
	}
	want := []string{
		`f.yaml:1:1: nmae: unknown key; did you mean "name"?`,
		`f.yaml:1:1: name: is missing`,
		`f.yaml:2:11: list[1]: "a" stands in the list twice`,
		`f.yaml:2:14: list[2]: want a text, found a number; quote it: "1"`,
		`f.yaml:3:8: count: want a whole number from 1 to 9`,
		`f.yaml:4:6: yes: want true, or leave the key out`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNotOnePlainDocumentIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing": "", "an anchor": "a: &x 1\n", "an alias": "a: *x\n", "a tag": "a: !!str 1\n", "two documents": "a: 1\n---\nb: 2\n",
		"not UTF-8": "a: \xff\n", "too many marks": strings.Repeat("-", 1_001), "too many bytes": strings.Repeat("x", 1<<20+1),
	} {
		tree := newTree()
		if tree.Document([]byte(text)) != nil || len(tree.Problems) != 1 {
			t.Errorf("%s: %v", name, tree.Problems)
		}
	}
	var zero strictyaml.Tree
	if zero.Document([]byte("a: 1\n")) != nil {
		t.Error("the zero value reads a file")
	}
}

func FuzzTree(f *testing.F) {
	f.Add([]byte("a: [b, {c: d}]\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("? [x]\n: - y\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tree := newTree()
		root := tree.Document(data)
		if (root == nil) != (len(tree.Problems) > 0) {
			t.Fatalf("root %v beside %v", root, tree.Problems)
		}
		if root == nil {
			return
		}
		for _, v := range tree.Fields(root, "", "a", "b") {
			tree.List(v, "x", func(string) string { return "" })
		}
		for _, p := range tree.Problems {
			if p.File != "f.yaml" || p.Msg == "" || len(p.Error()) > 10_000 {
				t.Errorf("odd problem: %v", p)
			}
		}
	})
}
