package cms_test

import (
	"crypto"
	"errors"
	"testing"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
)

// FuzzTimestamp gives the same bytes to both readers. A timestamp that is good
// for a value is good for no other.
func FuzzTimestamp(f *testing.F) {
	now := testenv.VectorTime()
	value := []byte("signature value")
	tsa := vectors.Issue(f, now, "Times", nil, vectors.TimeStamping)
	f.Add(vectors.Token(f, tsa, value, vectors.Stamp{At: now}))
	f.Add(vectors.Token(f, tsa, value, vectors.Stamp{At: now, Hash: crypto.SHA384, Info: func(fields [][]byte) [][]byte {
		return append(fields, vectors.Seq(vectors.Int(1)), vectors.Int(5), vectors.Context(0, vectors.Context(4, vectors.Seq())))
	}}))
	attribute := vectors.Countersignature(f, tsa, value, vectors.Stamp{At: now})
	f.Add(attribute[len(attribute)-len(vectors.Body(attribute)):])
	f.Fuzz(func(t *testing.T, der []byte) {
		for _, parse := range []func() (*cms.Timestamp, error){
			func() (*cms.Timestamp, error) { return cms.ParseToken(der) },
			func() (*cms.Timestamp, error) { return cms.ParseCountersignature(der, nil) },
		} {
			stamp, err := parse()
			var malformed *cms.Error
			if err != nil {
				if !errors.As(err, &malformed) {
					t.Errorf("%T", err)
				}
				continue
			}
			var worthless *cms.TimestampError
			if _, err := stamp.Check([]byte("another value")); !errors.As(err, &worthless) {
				t.Errorf("good for another value: %v", err)
			}
			if _, err := stamp.Check(value); err != nil && !errors.As(err, &worthless) {
				t.Errorf("%T", err)
			}
		}
	})
}
