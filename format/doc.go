// Package format holds the signature formats, both halves of each: Authenticode
// blocks in PowerShell scripts, and OpenPGP clear-signed text. Each verifies
// against the anchors that it is given and signs with the key that it is given.
//
// It decides nothing about who may sign what, replaces no file, and uses no
// network.
package format
