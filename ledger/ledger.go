// Package ledger keeps an append-only, hash-chained record of decisions and
// runs: one line of JSON for each record, each with the hash of the one before.
//
// A ledger promises that what Append reported as written is on disk, and that
// Verify finds every edit, gap, repetition and change of order in its files. It
// does not promise more than a chain without a key can: whoever may write the
// files can cut records off the end, or compute a whole new chain. Against that,
// note a Head elsewhere and give it to Verify later, or have the head signed
// (Checkpoints): that holds against all who cannot read the key and write the
// checkpoints, and, where these are kept elsewhere, against those who can. The package
// knows nothing of what the records mean, and uses no network.
//
// docs/formats/ledger.md describes the format.
package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Limits of a ledger.
const (
	// MaxRecord is the largest record in bytes, its line end included.
	MaxRecord = 1 << 20
	// MaxDepth is how deep objects and arrays may be nested in a record.
	MaxDepth = 64
)

// Type says what a record is about.
type Type string

// The types of records. Their bodies belong to those who append them; those of a
// repair and of a segment are the ledger's own.
const (
	TypeDecision Type = "decision" // the gate has decided, either way
	TypeStart    Type = "start"    // a run is about to begin
	TypeEnd      Type = "end"      // a run has ended, or could not be started
	TypeToken    Type = "token"    // a run has asked for a token, and got it or not
	TypeRepair   Type = "repair"   // an incomplete last line was cut off
	TypeSegment  Type = "segment"  // the ledger goes on in a new file
)

func (t Type) known() bool {
	switch t {
	case TypeDecision, TypeStart, TypeEnd, TypeToken, TypeRepair, TypeSegment:
		return true
	}
	return false
}

// own says that only the ledger itself writes records of this type.
func (t Type) own() bool { return t == TypeRepair || t == TypeSegment }

// Event is what a caller wants to have recorded.
type Event struct {
	Type Type
	// Body is encoded as JSON and must come out as an object.
	Body any
	// Behind has the event recorded with the time of the last record where the
	// clock is behind that: for an event that says so itself.
	Behind bool
}

// Sink takes records. If Append fails the event is not recorded, and what it
// announces must not be done.
type Sink interface {
	// Append records the event durably and returns its sequence number.
	Append(ctx context.Context, e Event) (seq uint64, err error)
}

// Hash is the SHA-256 hash of a record. The zero value stands before the first.
type Hash [sha256.Size]byte

// String returns h as 64 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements encoding.TextMarshaler in the form of String.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// parseHash accepts the form of String and no other.
func parseHash(s string) (Hash, error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != sha256.Size || s != strings.ToLower(s) {
		return Hash{}, errors.New("want 64 lower-case hexadecimal digits")
	}
	return Hash(raw), nil
}

// Head names one record and, through its hash, everything before it.
type Head struct {
	Seq  uint64 `json:"seq"`
	Hash Hash   `json:"hash"`
}

// String returns the head as SEQ:HASH, the form that ParseHead reads.
func (h Head) String() string { return strconv.FormatUint(h.Seq, 10) + ":" + h.Hash.String() }

// ParseHead reads a head in the form SEQ:HASH.
func ParseHead(s string) (Head, error) {
	number, digits, found := strings.Cut(s, ":")
	if !found {
		return Head{}, fmt.Errorf("ledger head %q: want SEQ:HASH", s)
	}
	seq, err := strconv.ParseUint(number, 10, 64)
	if err != nil || seq == 0 || strconv.FormatUint(seq, 10) != number {
		return Head{}, fmt.Errorf("ledger head %q: want a sequence number from 1 on", s)
	}
	hash, err := parseHash(digits)
	if err != nil {
		return Head{}, fmt.Errorf("ledger head %q: hash: %w", s, err)
	}
	return Head{Seq: seq, Hash: hash}, nil
}

// ErrClosed says that the ledger is closed, or was never opened.
var ErrClosed = errors.New("the ledger is not open")

// ErrReplaced says that the path no longer names the file that was opened: it
// was removed, renamed or replaced. Records written now would be lost.
var ErrReplaced = errors.New("the file at the ledger's path is not the one that was opened")

// EventError says that an event cannot be recorded as it is.
type EventError struct {
	Type   Type
	Reason string
}

func (e *EventError) Error() string { return fmt.Sprintf("record a %q event: %s", e.Type, e.Reason) }

// ClockError says that the clock is behind the last record. Nothing was written:
// the order of times in a ledger is evidence too.
type ClockError struct{ Now, Last time.Time }

func (e *ClockError) Error() string {
	return fmt.Sprintf("the clock says %s, before the last record of the ledger (%s)",
		e.Now.Format(time.RFC3339Nano), e.Last.Format(time.RFC3339Nano))
}
