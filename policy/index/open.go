package index

import (
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"modernc.org/sqlite/vfs"

	"github.com/runwrit/writ/internal/guard"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// Options say how strictly Open looks at the file.
type Options struct {
	// Guarded refuses a file, and folders above it, that anyone but root and the
	// current user may write, as a gate must.
	Guarded bool
}

// maxConnections is how many decisions may read at once.
const maxConnections = 4

// Index is an open index. It is safe for use by several goroutines.
type Index struct {
	path   string
	file   *os.File
	pages  *pages
	files  *vfs.FS
	db     *sql.DB
	lookUp *sql.Stmt
}

// query finds the rows of several keys. Each entry of the list is the limit in
// eight digits and the key in hexadecimal digits.
const query = `SELECT j.key, r.n, r.value FROM json_each(?) AS j CROSS JOIN grants AS r
	WHERE r.key = unhex(substr(j.value, 9)) AND r.n < CAST(substr(j.value, 1, 8) AS INTEGER)`

// Open opens the index at path if it is the one that ref names.
func Open(path string, ref Ref, o Options) (*Index, error) {
	x := &Index{path: path}
	if err := x.open(ref, o); err != nil {
		return nil, errors.Join(fmt.Errorf("index %q: %w", path, err), x.Close())
	}
	return x, nil
}

func (x *Index) open(ref Ref, o Options) error {
	if o.Guarded {
		if err := guard.Folder(filepath.Dir(x.path)); err != nil {
			return err
		}
	}
	info, err := os.Lstat(x.path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("is not a regular file; links are refused")
	}
	if o.Guarded {
		if err := guard.Entry(info); err != nil {
			return err
		}
	}
	if x.file, err = os.Open(x.path); err != nil {
		return err
	}
	opened, err := x.file.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(info, opened) {
		return errors.New("was replaced while it was opened")
	}
	t, err := readTrailer(x.file, opened.Size(), ref)
	if err != nil {
		return err
	}
	x.pages = &pages{file: x.file, trailer: *t}
	return x.connect()
}

func (x *Index) connect() error {
	name, files, err := vfs.New(x.pages)
	if err != nil {
		return err
	}
	x.files = files
	if x.db, err = sql.Open("sqlite", "file:"+databaseName+"?mode=ro&immutable=1&vfs="+name); err != nil {
		return err
	}
	x.db.SetMaxOpenConns(maxConnections)
	x.db.SetMaxIdleConns(maxConnections)
	x.lookUp, err = x.db.Prepare(query)
	return err
}

// Close lets go of the file.
func (x *Index) Close() error {
	var err error
	if x.lookUp != nil {
		err = x.lookUp.Close()
	}
	if x.db != nil {
		err = errors.Join(err, x.db.Close())
	}
	if x.files != nil {
		err = errors.Join(err, x.files.Close())
	}
	if x.file != nil {
		err = errors.Join(err, x.file.Close())
	}
	return err
}

// Grants is the digest of the grants.yaml that the index was built from.
func (x *Index) Grants() runbook.Digest { return x.pages.grants }

// Values answers several queries at once.
func (x *Index) Values(queries []policy.Query) ([][]string, error) {
	found := make([][]string, len(queries))
	rows, err := x.lookUp.Query(encodeQueries(queries))
	if err != nil {
		return nil, fmt.Errorf("index %q: %w", x.path, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err says what went wrong
	for rows.Next() {
		var i, n int
		var value string
		if err := rows.Scan(&i, &n, &value); err != nil {
			return nil, fmt.Errorf("index %q: %w", x.path, err)
		}
		if i < 0 || i >= len(queries) || n != len(found[i]) || n >= queries[i].Limit {
			return nil, fmt.Errorf("index %q: rows are missing, or not in their order", x.path)
		}
		found[i] = append(found[i], value)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("index %q: %w", x.path, err)
	}
	return found, nil
}

func encodeQueries(queries []policy.Query) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, q := range queries {
		if i > 0 {
			b.WriteByte(',')
		}
		limit := strconv.Itoa(min(max(q.Limit, 0), 99_999_999))
		b.WriteByte('"')
		b.WriteString("00000000"[len(limit):])
		b.WriteString(limit)
		b.WriteString(hex.EncodeToString(rowKey(q.Table, q.Key)))
		b.WriteByte('"')
	}
	b.WriteByte(']')
	return b.String()
}
