package signer

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const accessList = "system.posix_acl_access"

// copyAttributes gives temp the access control list and the user attributes of
// the file it stands for. Without that, the mode would mean something else: with
// a list its group bits are the mask. A list that the folder gave to temp goes.
func copyAttributes(temp *os.File, like file) error {
	fd := int(temp.Fd())
	names, err := listAttributes(like.path)
	if errors.Is(err, unix.ENOENT) {
		return &ChangedError{like.path}
	}
	if err != nil {
		return fmt.Errorf("extended attributes of %q: %w", like.path, err)
	}
	if err := unix.Fremovexattr(fd, accessList); err != nil && !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.ENOTSUP) {
		return fmt.Errorf("access control list: %w", err)
	}
	for _, name := range names {
		if name != accessList && !strings.HasPrefix(name, "user.") {
			continue
		}
		value, err := readAttribute(like.path, name)
		if err == nil {
			err = unix.Fsetxattr(fd, name, value, 0)
		}
		if err != nil {
			return fmt.Errorf("extended attribute %q of %q cannot be kept: %w", name, like.path, err)
		}
	}
	return nil
}

func listAttributes(path string) ([]string, error) {
	buf := make([]byte, 64<<10) // the kernel's limit
	n, err := unix.Llistxattr(path, buf)
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(buf[:n]), func(r rune) bool { return r == 0 }), nil
}

func readAttribute(path, name string) ([]byte, error) {
	buf := make([]byte, 64<<10) // the kernel's limit
	n, err := unix.Lgetxattr(path, name, buf)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}
