package ledger

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// TailError says that a ledger does not end as it must: the last record is
// damaged, or not the one that was signed. Nothing is appended then: Verify says
// what is wrong, and a person decides.
type TailError struct{ Reason string }

func (e *TailError) Error() string { return "the ledger is damaged: " + e.Reason }

// tail is the end of a ledger file.
type tail struct {
	// size is the length of the file up to the end of its last complete line.
	size int64
	last Record
	// torn is what follows the last complete line: a write that was cut short.
	torn []byte
}

// readTail reads as much of the end of the file as its last record needs.
func readTail(f *os.File) (tail, error) {
	info, err := f.Stat()
	if err != nil {
		return tail{}, err
	}
	return readTailOf(f, info.Size())
}

func readTailOf(f io.ReaderAt, size int64) (tail, error) {
	for window := int64(8 << 10); ; window *= 2 {
		window = min(window, size)
		buf := make([]byte, window)
		if _, err := io.ReadFull(io.NewSectionReader(f, size-window, window), buf); err != nil {
			return tail{}, err
		}
		if window < size && window <= 2*MaxRecord && bytes.Count(buf, []byte{'\n'}) < 2 {
			continue
		}
		return parseTail(buf, size)
	}
}

// parseTail reads the last record out of the last bytes of a file of that size.
func parseTail(buf []byte, size int64) (tail, error) {
	end := bytes.LastIndexByte(buf, '\n')
	t := tail{torn: buf[end+1:], size: size - int64(len(buf)-end-1)}
	if len(t.torn) > MaxRecord {
		return tail{}, &TailError{fmt.Sprintf("an incomplete line of more than %d bytes", MaxRecord)}
	}
	if end < 0 {
		return t, nil
	}
	start := bytes.LastIndexByte(buf[:end], '\n')
	if start < 0 && int64(len(buf)) < size || end-start > MaxRecord {
		return tail{}, &TailError{fmt.Sprintf("a line of more than %d bytes", MaxRecord)}
	}
	r, err := parseRecord(buf[start+1 : end])
	if err != nil {
		return tail{}, &TailError{"the last record: " + err.Error()}
	}
	t.last = r
	return t, nil
}
