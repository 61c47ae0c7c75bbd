package joblog

import (
	"os"
	"testing"
)

// Fill puts another file in the place of that of a log.
func Fill(t *testing.T, l *Log, path string) {
	t.Helper()
	_ = l.file.Close()
	var err error
	if l.file, err = os.OpenFile(path, os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
}
