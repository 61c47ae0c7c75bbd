//go:build !linux

package identity

import (
	"errors"
	"net"

	"github.com/runwrit/writ/policy"
)

// PeerCaller is for Linux: elsewhere it fails with errors.ErrUnsupported.
func PeerCaller(*net.UnixConn) (policy.Caller, error) { return policy.Caller{}, errors.ErrUnsupported }
