package index_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
)

// TestAttackIndexCutWhileALongRowIsRead: of a file that ends too soon SQLite takes
// the rest for zeros, and the middle of a long row would be zeros then.
func TestAttackIndexCutWhileALongRowIsRead(t *testing.T) {
	t.Parallel()
	d := draw(3)
	long := strings.Repeat("x", 200)
	var paths strings.Builder
	for i := range 90 {
		fmt.Fprintf(&paths, "\"/%s%d\", ", long, i)
	}
	grants := randomGrants(&d)
	last := strings.LastIndex(grants, "paths: [") + len("paths: [")
	grants = grants[:last] + paths.String() + grants[last:]
	path, ref := build(t, grants)
	var query []policy.Query
	if err := policy.EachRow([]byte(grants), func(table policy.Table, key string, values []string) error {
		if len(values) == 1 && len(values[0]) > 3*4096 {
			query = []policy.Query{{Table: table, Key: key, Limit: 1}}
		}
		return nil
	}); err != nil || query == nil {
		t.Fatalf("no long row: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for size := info.Size(); size > 0; size -= 1024 {
		x := open(t, path, ref) // the pages that a query needs are not read yet
		want, err := x.Values(query)
		if err != nil {
			t.Fatal(err)
		}
		y := open(t, path, ref)
		whole := readFile(t, path)
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		got, err := y.Values(query)
		if err != nil {
			refused++
		} else if said(t, got) != said(t, want) {
			t.Errorf("cut at %d of %d: other rows", size, info.Size())
		}
		writeFile(t, path, whole)
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}
