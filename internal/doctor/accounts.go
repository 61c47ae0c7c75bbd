package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// oldAccounts are those that old workers make, and run runbooks as.
var oldAccounts = []string{"nxautomation", "omsagent", "hweautomation"}

// defaultUser is the account that the packaging of writ makes.
const defaultUser = "writ"

// maxAccounts is how long /etc/passwd and /etc/group may be, in bytes.
const maxAccounts = 8 << 20

// account is one of the host.
type account struct {
	name     string
	known    bool // /etc/passwd has it
	uid, gid uint32
	home     string
	groups   []string
}

// accounts reads who is who on the host, and who writ runs as.
func (x *examination) accounts() {
	for _, line := range x.table("/etc/passwd", 7) {
		if uid, ok := idOf(line[2]); ok && x.users[uid] == "" {
			x.users[uid] = line[0]
		}
	}
	for _, line := range x.table("/etc/group", 4) {
		if gid, ok := idOf(line[2]); ok && x.groups[gid] == "" {
			x.groups[gid] = line[0]
		}
	}
	a := x.account(cmp.Or(x.options.User, defaultUser))
	switch {
	case a.known:
		x.gate = a.uid
	case x.options.User != "":
		x.unread("/etc/passwd", fmt.Sprintf("there is no account %q", x.options.User))
	}
}

// table reads a file of lines with so many fields between colons.
func (x *examination) table(p string, fields int) [][]string {
	data, _, err := x.read(p, maxAccounts)
	if err != nil {
		x.note(p, err)
		return nil
	}
	var rows [][]string
	for line := range strings.Lines(string(data)) {
		if row := strings.Split(strings.TrimRight(line, "\n"), ":"); len(row) == fields && row[0] != "" {
			rows = append(rows, row)
		}
	}
	return rows
}

func idOf(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}

// account looks an account up. The groups of one that is not known are those
// that list it.
func (x *examination) account(name string) account {
	a := account{name: name}
	for _, row := range x.table("/etc/passwd", 7) {
		if row[0] != name {
			continue
		}
		uid, ok1 := idOf(row[2])
		gid, ok2 := idOf(row[3])
		if a.known = ok1 && ok2; a.known {
			a.uid, a.gid, a.home = uid, gid, row[5]
		}
		break
	}
	for _, row := range x.table("/etc/group", 4) {
		gid, ok := idOf(row[2])
		if ok && a.known && gid == a.gid || slices.Contains(strings.Split(row[3], ","), name) {
			a.groups = append(a.groups, row[0])
		}
	}
	return a
}

// runbookAccounts are those that runbooks may run as.
func (x *examination) runbookAccounts() []string {
	names := append(slices.Clone(oldAccounts), cmp.Or(x.options.User, defaultUser))
	if x.worker != nil && x.worker.Run.User != "" {
		names = append(names, x.worker.Run.User)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
