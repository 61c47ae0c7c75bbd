// Package format holds the signature formats, both halves of each: Authenticode
// blocks in the script files of Windows, with the catalogs that list such files, and
// OpenPGP clear-signed text. Each verifies against the trust that it is given and
// signs with the key that it is given.
//
// It decides nothing about who may sign what, replaces no file, and uses no
// network: where revocations are fetched, the caller's function does it.
package format
