package main

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/testenv"
)

// copyCorpus copies the real files of these classes into a folder of the test,
// under numbers: several have one name.
func copyCorpus(t *testing.T, classes string) map[string][]byte {
	t.Helper()
	dir := testenv.Shared(t, "corpus/authenticode")
	index, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(index))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	copies, to := map[string][]byte{}, t.TempDir()
	for n, row := range rows[1:] { // path, source, blob, class
		if !strings.Contains(classes, " "+row[3]+" ") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(row[0])))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(to, strconv.Itoa(n)+filepath.Ext(row[0]))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		copies[path] = data
	}
	return copies
}

func paths(files map[string][]byte) []string {
	var list []string
	for path := range files {
		list = append(list, path)
	}
	return list
}

func TestRepairRestoresEveryRealFileThatGitDamaged(t *testing.T) {
	t.Parallel()
	files := copyCorpus(t, " B:eol-damaged B2:block-eol-damaged(content LF signed) ")
	if len(files) != 110 {
		t.Fatalf("%d files, want 110", len(files))
	}
	list := paths(files)
	ca := filepath.Join(testenv.Shared(t, "vectors/authenticode"), "ca.pem")
	if code, out, errs := call(t, "audit", "--ca", ca, "-o", "json", filepath.Dir(list[0])); code != exitNo || !strings.Contains(out, `"repairable": 110,`) {
		t.Errorf("audit: exit code %d\n%s", code, errs)
	}
	for _, step := range []struct {
		args []string
		code int
		word string
	}{
		{[]string{"repair", "--check"}, exitNo, "damaged "},
		{[]string{"repair"}, exitYes, "repaired"},
		{[]string{"repair", "--check"}, exitYes, "intact  "},
	} {
		code, out, errs := call(t, append(step.args, list...)...)
		if n := strings.Count("\n"+out, "\n"+step.word); code != step.code || n != 110 {
			t.Errorf("%v: exit code %d, %d files are %s\n%s", step.args, code, n, step.word, errs)
		}
		if step.code == exitNo {
			wantUnchanged(t, files)
		}
	}
	if names, err := os.ReadDir(filepath.Dir(list[0])); err != nil || len(names) != 110 {
		t.Errorf("%d files in the folder, %v", len(names), err)
	}
}

func TestRepairLeavesEveryOtherRealFileAlone(t *testing.T) {
	t.Parallel()
	files := copyCorpus(t, " A:valid B:eol-damaged+trailing C:mismatch E:block-inside-test-source ")
	if len(files) != 187+1+26+12 {
		t.Fatalf("%d files", len(files))
	}
	code, out, errs := call(t, append([]string{"repair"}, paths(files)...)...)
	if n := strings.Count(out, "intact"); code != exitNo || n != 187 || strings.Contains(out, "repaired") || strings.Count(errs, "cannot be repaired") != 39 {
		t.Errorf("exit code %d, %d files intact\n%s", code, n, errs)
	}
	wantUnchanged(t, files)
}

func wantUnchanged(t *testing.T, files map[string][]byte) {
	t.Helper()
	for path, data := range files {
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, data) {
			t.Errorf("%s changed: %v", path, err)
		}
	}
}
