package doctor

import (
	"fmt"
	"io/fs"
	"slices"
)

// owners are the accounts that may own and write what is looked at: root, and at
// most one more.
type owners struct{ uid uint32 }

func (o owners) has(uid uint32) bool { return uid == 0 || uid == o.uid }

// flaw is a file or folder that others may write or replace.
type flaw struct {
	path string
	who  string
	mend []string
}

const (
	ownIt   = "chown -h root -- PATH"
	closeIt = "chmod go-w -- PATH"
)

// entryFlaw says who else may write a file or folder.
func (h *host) entryFlaw(p string, info fs.FileInfo, good owners) *flaw {
	uid, gid, _ := h.owner(info)
	f := &flaw{path: p}
	if !good.has(uid) {
		f.who = "belongs to " + h.userName(uid)
		f.mend = append(f.mend, ownIt)
	}
	return h.modeFlaw(f, info.Mode().Perm()&0o020 != 0, info.Mode().Perm()&0o002 != 0, gid)
}

// folderFlaw says who else may replace what is in a folder. The sticky bit keeps
// others from each other's files, and a group of the owner's own number is the
// owner.
func (h *host) folderFlaw(p string, info fs.FileInfo, good owners) *flaw {
	uid, gid, _ := h.owner(info)
	f := &flaw{path: p}
	if !good.has(uid) {
		f.who = "belongs to " + h.userName(uid)
		f.mend = append(f.mend, ownIt)
	}
	if info.Mode()&fs.ModeSticky != 0 {
		return h.modeFlaw(f, false, false, gid)
	}
	return h.modeFlaw(f, info.Mode().Perm()&0o020 != 0 && gid != uid, info.Mode().Perm()&0o002 != 0, gid)
}

func (h *host) modeFlaw(f *flaw, group, others bool, gid uint32) *flaw {
	who := ""
	switch {
	case others:
		who = "everybody may write it"
	case group:
		who = h.groupName(gid) + " may write it"
	}
	if who != "" {
		if f.who != "" {
			f.who += ", and "
		}
		f.who += who
		f.mend = append(f.mend, closeIt)
	}
	if f.who == "" {
		return nil
	}
	return f
}

// flaws says who else may write what a path leads to, or put something else in
// its place: the folders above count, and those that hold a link on the way.
func (h *host) flaws(at place, good owners) []*flaw {
	var list []*flaw
	for _, dir := range at.via {
		info, err := h.root.Lstat(local(dir))
		if err != nil {
			h.note(dir, err)
			continue
		}
		if f := h.folderFlaw(dir, info, good); f != nil {
			list = append(list, f)
		}
	}
	if at.info != nil {
		if f := h.entryFlaw(at.path, at.info, good); f != nil {
			list = append(list, f)
		}
	}
	return list
}

// maxFlaws is how many files of one folder are named.
const maxFlaws = 20

// treeFlaws are the flaws of a folder, and of all in it.
func (h *host) treeFlaws(at place, good owners) []*flaw {
	list := h.flaws(at, good)
	h.walk(at.path, func(p string, info fs.FileInfo) {
		if info.Mode()&fs.ModeSymlink == 0 && len(list) < maxFlaws {
			if f := h.entryFlaw(p, info, good); f != nil {
				list = append(list, f)
			}
		}
	})
	return list
}

// walk visits what is in a folder, and in those inside; links are visited and
// not followed.
func (h *host) walk(dir string, visit func(p string, info fs.FileInfo)) {
	count := 0
	var in func(dir string, depth int)
	in = func(dir string, depth int) {
		if depth > maxDepth {
			h.unread(dir, errTooMany)
			return
		}
		for _, name := range h.list(dir) {
			p := dir + "/" + name
			if dir == "/" {
				p = dir + name
			}
			if h.ctx.Err() != nil {
				return // Examine says so
			}
			if count++; count > maxEntries {
				h.unread(dir, errTooMany)
				return
			}
			info, err := h.root.Lstat(local(p))
			if err != nil {
				h.note(p, err)
				continue
			}
			visit(p, info)
			if info.IsDir() {
				in(p, depth+1)
			}
		}
	}
	in(dir, 1)
}

// writable adds a finding for each flaw; about says of what. A folder above
// several places is named once for each code.
func (x *examination) writable(code Code, about string, list []*flaw) {
	for _, f := range list {
		if slices.ContainsFunc(x.report.Findings, func(o Finding) bool { return o.Code == code && o.Where == f.path }) {
			continue
		}
		detail := f.who
		if f.path != about {
			detail = fmt.Sprintf("%s: %s", about, f.who)
		}
		finding := Finding{Code: code, Where: f.path, Detail: detail}
		if f.path != about {
			finding.Note = "or keep it elsewhere, below folders of root's, if this one must stay as it is"
		}
		x.mend(&finding, f.path, f.mend...)
		x.add(finding)
	}
}
