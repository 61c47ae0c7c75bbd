//go:build nosigstore

package main

import "testing"

func (*keyWork) inFulcio(t *testing.T, _ string) { t.Skip("this build is without Sigstore") }

func (*keyWork) writeCertified(*testing.T) {}

func (*keyWork) sigstoreGo(*testing.T) {}
