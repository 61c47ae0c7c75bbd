package sst_test

import (
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/sst"
)

// The stores of these tests are of our own writer, made by the description: there
// is no program on the machines of the tests that writes one.
type writer struct{ bytes.Buffer }

func newWriter() *writer {
	w := &writer{}
	w.WriteString("\x00\x00\x00\x00CERT")
	return w
}

func (w *writer) element(id, encoding uint32, value []byte) *writer {
	for _, n := range []uint32{id, encoding, uint32(len(value))} {
		_ = binary.Write(w, binary.LittleEndian, n) // a buffer never fails
	}
	w.Write(value)
	return w
}

func (w *writer) end() []byte { return w.element(0, 0, nil).Bytes() }

func usages(t testing.TB, ids ...asn1.ObjectIdentifier) []byte {
	t.Helper()
	der, err := asn1.Marshal(ids)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

var codeSigning = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 3}

func whole(t testing.TB) []byte {
	return newWriter().
		element(11, 1, []byte("name\x00")).element(32, 1, []byte("one")).
		element(9, 1, usages(t, codeSigning)).element(3, 1, nil).element(32, 0x10001, []byte("two")).
		element(9, 1, usages(t)).element(104, 1, make([]byte, 8)).element(32, 1, []byte("three")).
		element(33, 1, []byte("list")).element(34, 1, []byte("trust list")).end()
}

func TestAStoreIsReadWithWhatWindowsRestricts(t *testing.T) {
	t.Parallel()
	got, err := sst.Parse(whole(t))
	if err != nil {
		t.Fatal(err)
	}
	want := &sst.Store{
		Certificates: []sst.Certificate{
			{DER: []byte("one")},
			{DER: []byte("two"), Usages: []string{"1.3.6.1.5.5.7.3.3"}},
			{DER: []byte("three"), Usages: []string{}, Distrusted: true},
		},
		CRLs: [][]byte{[]byte("list")}, TrustLists: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnEmptyStoreIsReadAsOne(t *testing.T) {
	t.Parallel()
	got, err := sst.Parse(newWriter().end())
	if err != nil || len(got.Certificates) > 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestEachPropertyThatTakesTrustAwayIsSeen(t *testing.T) {
	t.Parallel()
	for _, id := range []uint32{104, 122, 126, 127, 128} {
		got, err := sst.Parse(newWriter().element(id, 1, make([]byte, 8)).element(32, 1, []byte("one")).element(32, 1, []byte("two")).end())
		if err != nil || !got.Certificates[0].Distrusted || got.Certificates[1].Distrusted {
			t.Errorf("property %d: got %v, %v", id, got, err)
		}
	}
}

func TestAttackMalformedSerializedStore(t *testing.T) {
	t.Parallel()
	good := whole(t)
	huge := newWriter().element(32, 1, []byte("one")).Bytes()
	binary.LittleEndian.PutUint32(huge[16:], 0xFFFFFFFF)
	for name, data := range map[string][]byte{
		"empty":                           nil,
		"only the head":                   good[:8],
		"another version":                 append([]byte{1}, good[1:]...),
		"no end":                          good[:len(good)-12],
		"half an end":                     good[:len(good)-1],
		"bytes behind the end":            append(slices.Clone(good), 0),
		"a length beyond the end":         huge,
		"an end with a value":             newWriter().element(0, 0, []byte("x")).Bytes(),
		"an end with an encoding":         newWriter().element(0, 1, nil).Bytes(),
		"another encoding":                newWriter().element(32, 2, []byte("one")).end(),
		"a property of another encoding":  newWriter().element(11, 0, nil).element(32, 1, []byte("one")).end(),
		"a number that is no property":    newWriter().element(0x10000, 1, nil).element(32, 1, []byte("one")).end(),
		"properties of nothing":           newWriter().element(11, 1, nil).end(),
		"purposes that cannot be read":    newWriter().element(9, 1, []byte{0x30, 0x80}).element(32, 1, []byte("one")).end(),
		"purposes with bytes behind them": newWriter().element(9, 1, append(usages(t), 0)).element(32, 1, []byte("one")).end(),
		"purposes twice":                  newWriter().element(9, 1, usages(t)).element(9, 1, usages(t, codeSigning)).element(32, 1, []byte("one")).end(),
	} {
		if got, err := sst.Parse(data); err == nil {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestAttackSerializedStoreOfThousandsOfElements(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]uint32{"certificates": 32, "properties": 11, "trust lists": 34} {
		w := newWriter()
		for range sst.MaxElements + 1 {
			w.element(id, 1, nil)
		}
		if _, err := sst.Parse(w.end()); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
	large := newWriter().element(11, 1, make([]byte, sst.MaxSize)).element(32, 1, nil).end()
	if _, err := sst.Parse(large); err == nil {
		t.Error("one larger than the limit was read")
	}
}

// FuzzParse: what is read is as long as its parts say, and a store in a store is
// only bytes.
func FuzzParse(f *testing.F) {
	f.Add(whole(f))
	f.Add(newWriter().end())
	f.Add(newWriter().element(32, 1, whole(f)).end())
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := sst.Parse(data)
		if err != nil {
			return
		}
		size := 0
		for _, c := range s.Certificates {
			size += len(c.DER)
		}
		for _, l := range s.CRLs {
			size += len(l)
		}
		if size+8+12 > len(data) || len(s.Certificates) > sst.MaxItems {
			t.Errorf("%d bytes of a file of %d", size, len(data))
		}
	})
}
