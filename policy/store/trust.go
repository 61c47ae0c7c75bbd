package store

import (
	"context"
	"errors"
	"io/fs"
)

// trustMark is what is remembered of the trust stores that the gate has used.
type trustMark struct {
	Version int    `json:"version"`
	Epoch   uint64 `json:"epoch"`
}

// TrustEpoch is the highest epoch of a trust store that was used with this store,
// 0 for none. It fails with *Error.
func (s *Store) TrustEpoch() (uint64, error) {
	var mark trustMark
	err := s.readJSON(trustFile, &mark)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, s.fail(err)
	case mark.Version != stateVersion:
		return 0, s.fail(errors.New(trustFile + ": of a version that is not known to this writ"))
	}
	return mark.Epoch, nil
}

// SeeTrustEpoch remembers the epoch of a trust store that is used, if it is higher
// than all before. It returns the highest, and fails with *Error: what cannot be
// remembered must not be used.
func (s *Store) SeeTrustEpoch(ctx context.Context, epoch uint64) (uint64, error) {
	high, err := s.TrustEpoch()
	if err != nil || epoch <= high {
		return high, err
	}
	if err := s.makeFolders(); err != nil {
		return 0, s.fail(err)
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return 0, s.fail(err)
	}
	defer unlock()
	if high, err = s.TrustEpoch(); err != nil || epoch <= high {
		return high, err
	}
	if err := s.writeJSON(trustFile, trustMark{stateVersion, epoch}); err != nil {
		return 0, s.fail(err)
	}
	return epoch, nil
}
