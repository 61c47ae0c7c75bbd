package main

import (
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/runwrit/writ/worker/identity"
)

// demoFolders are what "writ init" makes, made once for all scripts: keys of RSA are
// dear, and init.txtar alone is about making them.
type demoFolders struct {
	mu   sync.Mutex
	made [][]firstFile
}

var demos demoFolders

// nth returns the files of one of them; each has keys of its own.
func (d *demoFolders) nth(n int) ([]firstFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.made) <= n {
		user, err := identity.ProcessCaller()
		if err != nil {
			return nil, err
		}
		files, err := firstFiles(time.Now(), strings.TrimPrefix(user.ID, "os:"))
		if err != nil {
			return nil, err
		}
		d.made = append(d.made, files)
	}
	return d.made[n], nil
}

// demosOfScript counts the calls of demo in one script.
type demosOfScript struct{}

// demo DIR makes a folder as writ init does: the first in each script has the same
// keys, the second has others, and so on.
func demo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: demo DIR")
	}
	count := ts.Value(demosOfScript{}).(*int)
	files, err := demos.nth(*count)
	ts.Check(err)
	*count++
	dir := ts.MkAbs(args[0])
	_, err = makeEmpty(dir)
	ts.Check(err)
	ts.Check(writeFiles(dir, files))
}
