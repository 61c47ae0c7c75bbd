package guard

import (
	"errors"
	"os"
)

// ReadSecret is ReadFile, guarded, of a file that nobody but its owner may read:
// root, or the current user.
func ReadSecret(path string, limit int64) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if othersMayRead(info) {
		return nil, errors.New("others may read it: chmod go=")
	}
	return ReadFile(path, limit, true)
}
