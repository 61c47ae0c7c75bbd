package joblog

import (
	"crypto/sha256"
	"hash"
)

// Stream keeps account of one stream of a run: how long it is, its digest, and its
// log, if it has one. It is not safe for use by several goroutines.
type Stream struct {
	log   *Log
	sum   hash.Hash
	bytes int64
}

// NewStream returns a Stream that writes to log, which may be nil.
func NewStream(log *Log) *Stream { return &Stream{log: log, sum: sha256.New()} }

// Write takes the next bytes.
func (s *Stream) Write(b []byte) {
	s.bytes += int64(len(b))
	_, _ = s.sum.Write(b) // a hash never fails
	if s.log != nil {
		s.log.Write(b)
	}
}

// Account is what there is to say about a stream.
type Account struct {
	Bytes  int64
	Digest [sha256.Size]byte
	// Log is nil without one.
	Log *Facts
}

// Close finishes the log. The account holds also after an error, which says that the
// log is not finished.
func (s *Stream) Close() (Account, error) {
	a := Account{Bytes: s.bytes, Digest: [sha256.Size]byte(s.sum.Sum(nil))}
	if s.log == nil {
		return a, nil
	}
	facts, err := s.log.Finish()
	a.Log = &facts
	return a, err
}

// Discard removes the log: the run has not begun.
func (s *Stream) Discard() {
	if s.log != nil {
		s.log.Discard()
	}
}
