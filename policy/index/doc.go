// Package index keeps the rows of a grants.yaml in one file on disk, so that a
// gate with a hundred thousand rules decides as soon as one with ten: it reads
// what concerns the question, and nothing else. The file holds an SQLite
// database and, behind it, the SHA-256 of each of its pages.
//
// Build makes the file when a policy is activated and returns its Ref, which the
// caller keeps where only root can write. Open takes the file for what it is
// called by that Ref, or not at all: SQLite sees a page only after its bytes were
// found to be those that Build wrote. So a file that was damaged, cut, exchanged or
// written by an attacker is an error, and a decision by it a denial. The file
// is read-only and must not be changed while it is open.
//
// It does not say whether the policy is the right one, nor keeps anybody from
// reading it. Who can change the Ref decides what the gate believes.
package index
