package joblog

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/runwrit/writ/internal/lazyregexp"
)

// Keep says which logs stay; its zero value keeps them all.
type Keep struct {
	// Runs is how many runs keep their logs, the last ones; 0 for all.
	Runs int
	// Days is for how many days; 0 for ever.
	Days int
}

const (
	day = 24 * time.Hour
	// abandoned is the age at which a log that is not finished belongs to no run that
	// goes on: none may last longer than a day.
	abandoned = 2 * day
)

// nameForm is that of logs: nothing else in the folder is ever removed.
var nameForm = lazyregexp.New(`^([0-9]{8}T[0-9]{6}\.[0-9]{3}Z)-([0-9]{1,20})\.(stdout|stderr)\.log(\.part)?$`)

// entry is a log in the folder.
type entry struct {
	name, run  string
	at         time.Time
	unfinished bool
}

// Prune removes what need not be kept any more. Logs that are not finished do not
// count, and go when no run can still write them.
func (f *Folder) Prune(keep Keep, now time.Time) error {
	if keep == (Keep{}) {
		return nil
	}
	logs, err := f.list()
	if err != nil {
		return err
	}
	var failed []error
	runs := 0
	var last string
	for _, l := range logs { // the youngest first
		if !l.unfinished && l.run != last {
			last = l.run
			runs++
		}
		age := now.Sub(l.at)
		old := keep.Days > 0 && age > time.Duration(keep.Days)*day || keep.Runs > 0 && runs > keep.Runs
		if l.unfinished {
			old = age > max(abandoned, time.Duration(keep.Days)*day)
		}
		if !old {
			continue
		}
		if err := f.root.Remove(l.name); err != nil && !errors.Is(err, fs.ErrNotExist) { // another gate was faster
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// list returns all logs, those of the youngest run first.
func (f *Folder) list() ([]entry, error) {
	dir, err := f.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }() // opened for reading only
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var logs []entry
	for _, name := range names {
		m := nameForm.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		at, err := time.Parse(nameTime, m[1])
		if err != nil {
			continue
		}
		logs = append(logs, entry{name: name, run: m[1] + "-" + m[2], at: at, unfinished: m[4] != ""})
	}
	slices.SortFunc(logs, func(a, b entry) int {
		if c := b.at.Compare(a.at); c != 0 {
			return c
		}
		return strings.Compare(b.name, a.name)
	})
	return logs, nil
}
