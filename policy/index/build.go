package index

import (
	"bufio"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// Build writes the index of a grants.yaml to a new file. It fails with
// *policy.SyntaxError where the grants.yaml is wrong, and leaves no file behind
// then. The same grants.yaml always gives the same file.
func Build(path string, grants []byte) (ref Ref, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return Ref{}, fmt.Errorf("build the index of a policy: %w", err)
	}
	defer func() {
		if closed := file.Close(); err == nil {
			err = closed
		}
		if err != nil {
			ref, err = Ref{}, errors.Join(fmt.Errorf("build the index of a policy: %w", err), os.Remove(path))
		}
	}()
	if err := writeDatabase(path, grants); err != nil {
		return Ref{}, err
	}
	return seal(file, runbook.DigestOf(grants))
}

// writeDatabase fills an empty file. A crash leaves a file that no Ref names, so
// that nothing needs to be safe before the end.
func writeDatabase(path string, grants []byte) (err error) {
	name := (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: "mode=rw" +
		"&_pragma=page_size(4096)&_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)&_pragma=locking_mode(EXCLUSIVE)"}).String()
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE grants (key BLOB, n INTEGER, value BLOB, PRIMARY KEY (key, n)) WITHOUT ROWID"); err != nil {
		return err
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	insert, err := tx.Prepare("INSERT INTO grants VALUES (?, ?, ?)")
	if err != nil {
		return err
	}
	err = policy.EachRow(grants, func(table policy.Table, key string, values []string) error {
		for n, value := range values {
			if _, err := insert.Exec(rowKey(table, key), n, []byte(value)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// rowKey is the key of a row in the database. No table has a NUL in its name.
func rowKey(table policy.Table, key string) []byte { return []byte(string(table) + "\x00" + key) }

// seal writes the digests of the pages behind them.
func seal(file *os.File, grants runbook.Digest) (Ref, error) {
	t := trailer{grants: grants}
	in := bufio.NewReaderSize(file, 1<<20)
	page := make([]byte, pageSize)
	for {
		_, err := io.ReadFull(in, page)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Ref{}, err
		}
		hash := sha256.Sum256(page)
		t.hashes = append(t.hashes, hash[:]...)
	}
	if n := len(t.hashes) / hashSize; n < 1 || n > maxPages {
		return Ref{}, fmt.Errorf("%d pages: %w", n, fs.ErrInvalid)
	}
	footer := t.footer()
	if _, err := file.WriteAt(append(t.hashes, footer...), int64(len(t.hashes))/hashSize*pageSize); err != nil {
		return Ref{}, err
	}
	return Ref{Grants: grants, Sum: runbook.DigestOf(footer)}, file.Sync()
}
