package index

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// databaseName is the one file that SQLite finds.
const databaseName = "index"

// pages hands the database to SQLite, as a file system of one file. Each page is
// compared with its digest before it is handed out.
type pages struct {
	file io.ReaderAt
	trailer
}

func (p *pages) size() int64 { return int64(len(p.hashes)) / hashSize * pageSize }

// Open opens the database. There is no journal, and no other file.
func (p *pages) Open(name string) (fs.File, error) {
	if name != databaseName {
		return nil, fs.ErrNotExist
	}
	return &database{pages: p}, nil
}

// database is the file that SQLite reads.
type database struct {
	pages  *pages
	offset int64
	buffer [pageSize]byte
}

// Read reads to the end of one page at most.
func (d *database) Read(b []byte) (int, error) {
	if d.offset >= d.pages.size() {
		return 0, io.EOF
	}
	page := d.offset / pageSize
	if _, err := d.pages.file.ReadAt(d.buffer[:], page*pageSize); err != nil {
		// Never io.EOF: of a file that ends too soon SQLite takes the rest for zeros.
		return 0, fmt.Errorf("page %d: %v", page, err)
	}
	if sha256.Sum256(d.buffer[:]) != [hashSize]byte(d.pages.hashes[page*hashSize:]) {
		return 0, fmt.Errorf("page %d is not what was written", page)
	}
	n := copy(b, d.buffer[d.offset%pageSize:])
	d.offset += int64(n)
	return n, nil
}

// Seek goes to a place from the start, as SQLite does.
func (d *database) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekStart || offset < 0 {
		return 0, errors.New("a place that nobody asks for")
	}
	d.offset = offset
	return offset, nil
}

// Stat says how large the database is.
func (d *database) Stat() (fs.FileInfo, error) { return fileInfo(d.pages.size()), nil }

// Close closes nothing: the Index does.
func (d *database) Close() error { return nil }

// fileInfo is that of the database: its size.
type fileInfo int64

func (fileInfo) Name() string       { return databaseName }
func (i fileInfo) Size() int64      { return int64(i) }
func (fileInfo) Mode() fs.FileMode  { return 0o400 }
func (fileInfo) ModTime() time.Time { return time.Time{} }
func (fileInfo) IsDir() bool        { return false }
func (fileInfo) Sys() any           { return nil }
