// Package joblog keeps what the runs of a gate wrote: a file for each stream of each
// run, in a folder that nobody but root and the user of the gate can write.
//
// A file holds the stream byte by byte, up to a limit. While a run goes on, and for
// ever if its gate was killed, the name of the file ends in ".part"; only a file that
// is finished and on the disk loses that. One that was cut off says so at its end. It
// is not the log that proves what a run wrote, but the digest of the whole stream,
// which is for the ledger: who may write the folder can change a log, and a runbook
// that runs as the user of the gate may write it.
package joblog

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/runwrit/writ/internal/guard"
)

// Folder is where logs are kept.
type Folder struct {
	dir  string
	root *os.Root
}

// Open returns the folder at dir, which must exist. It refuses one that anyone but
// root and the current user may write or put another one in the place of.
func Open(dir string) (*Folder, error) {
	if err := guard.Folder(dir); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err == nil {
		err = guard.Entry(info)
	}
	if err != nil {
		_ = root.Close() // opened for reading only
		return nil, err
	}
	return &Folder{dir, root}, nil
}

// Close closes the folder; logs that are open stay so.
func (f *Folder) Close() { _ = f.root.Close() } // opened for reading only

// nameTime is how the names of logs begin: by name they are in the order of time.
const nameTime = "20060102T150405.000Z"

// Name is that of a run's logs, without the stream: when it began, and the number of
// its decision.
func Name(at time.Time, decision uint64) string {
	return fmt.Sprintf("%s-%d", at.UTC().Format(nameTime), decision)
}

const (
	extension  = ".log"
	unfinished = ".part"
)

// Log is the file of one stream. It is not safe for use by several goroutines.
type Log struct {
	folder *Folder
	name   string
	file   *os.File
	limit  int64
	sum    hash.Hash // of the file
	held   int64     // bytes of the stream in the file
	passed int64     // bytes of the stream
	err    error     // the first of the file
}

// Create makes the log of one stream of a run, which holds at most limit bytes of it.
// There must be none of this name, finished or not.
func (f *Folder) Create(run, stream string, limit int64) (*Log, error) {
	name := run + "." + stream + extension
	if _, err := f.root.Lstat(name); err == nil {
		return nil, fmt.Errorf("%q: %w", name, os.ErrExist)
	}
	// The root keeps a link from leading elsewhere, and the file is a new one.
	file, err := f.root.OpenFile(name+unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &Log{folder: f, name: name, file: file, limit: limit, sum: sha256.New()}, nil
}

// Write takes the next bytes of the stream. It never fails: what goes wrong is said
// at the end.
func (l *Log) Write(b []byte) {
	kept := b[:min(int64(len(b)), max(0, l.limit-l.passed))]
	l.passed += int64(len(b))
	l.held += int64(l.put(kept))
}

func (l *Log) put(b []byte) (n int) {
	if l.err == nil && len(b) > 0 {
		n, l.err = l.file.Write(b)
		_, _ = l.sum.Write(b[:n]) // a hash never fails
	}
	return n
}

// Facts say what became of a log.
type Facts struct {
	Path string
	// Bytes is how many bytes of the stream it holds.
	Bytes int64
	// Cut says that the stream has more, and a mark at the end of the log says so.
	Cut bool
	// Digest is the SHA-256 of the file.
	Digest [sha256.Size]byte
}

// Finish puts the log on the disk and gives it its name. After an error it keeps the
// one that says that it is not finished.
func (l *Log) Finish() (Facts, error) {
	cut := l.passed > l.limit
	if cut {
		l.put(fmt.Appendf(nil, "\n[writ: the log is cut off here, after %d of %d bytes]\n", l.limit, l.passed))
	}
	err := l.err
	if err == nil {
		err = l.file.Sync()
	}
	if err = errors.Join(err, l.file.Close()); err == nil {
		err = l.folder.root.Rename(l.name+unfinished, l.name)
	}
	facts := Facts{Path: filepath.Join(l.folder.dir, l.name), Bytes: l.held, Cut: cut, Digest: [sha256.Size]byte(l.sum.Sum(nil))}
	if err != nil {
		facts.Path += unfinished
		return facts, err
	}
	return facts, l.folder.sync()
}

// Discard removes a log: what it is for has not begun.
func (l *Log) Discard() {
	_ = l.file.Close()
	_ = l.folder.root.Remove(l.name + unfinished)
}

// sync makes the names of files last, where a system can.
func (f *Folder) sync() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := f.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
