// Package format holds the signature formats. Both halves of two: Authenticode
// blocks in the script files of Windows, with the catalogs that list such files, and
// OpenPGP clear-signed text. Two are only verified: OpenPGP signatures in a file
// beside the runbook, and the clear-signed manifest of a project, whose text package
// internal/manifest makes. Each verifies against the trust that it is given, and
// signs with the key that it is given.
//
// It decides nothing about who may sign what, replaces no file, and uses no
// network: where revocations are fetched, the caller's function does it. With a key
// that GnuPG keeps, package signer starts gpg.
package format
