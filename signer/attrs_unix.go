//go:build unix

package signer

// hasUnixModes says that permission bits mean something here.
const hasUnixModes = true
