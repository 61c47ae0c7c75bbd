package authscript

import (
	"bytes"
	"errors"
	"fmt"
)

// Codes say what is wrong with a container, in stable words.
const (
	CodeLayout      = "layout"                     // the block is not as Windows writes it
	CodeTrailing    = "trailing"                   // something follows the block
	CodeJunk        = "junk-in-block"              // something other than base64 inside the block
	CodeNotPreceded = "block-not-preceded-by-crlf" // bytes before the block that no digest covers
	CodeTwoBlocks   = "two-blocks"
	CodePlace       = "no-place"          // the file has no place for a block
	CodeLookAlike   = "look-alike-marker" // a comment that could be taken for a marker
	CodeEmptyBlock  = "empty-block"       // markers with nothing between them
	CodeLossyDecode = "lossy-decode"      // different bytes would become the same text
	CodeUTF16BE     = "utf-16be"
	CodeNUL         = "nul"
	CodeAmbiguous   = "ambiguous-encoding" // hosts read different texts
)

// ErrNoBlock says that the script has no signature block, nor anything that
// could be taken for one.
var ErrNoBlock = errors.New("no signature block")

// LayoutError says that there is a signature block and that it, or what stands
// around it, is not as Windows writes it.
type LayoutError struct {
	Code string
	Line int // from 1
	Msg  string
}

func (e *LayoutError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Msg) }

// TextError says that the bytes are not one text that is the same everywhere.
type TextError struct {
	Code string
	Line int // from 1; 0 where it is not known
	Msg  string
}

func (e *TextError) Error() string {
	if e.Line == 0 {
		return e.Msg
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Msg)
}

// lineAt returns the number of the line, from 1, that the byte at offset is in.
// CRLF, LF and CR each end a line.
func lineAt(data []byte, e Encoding, offset int) int {
	head := data[:min(max(offset, 0), len(data))]
	if !e.wide() {
		return 1 + bytes.Count(head, []byte("\n")) + bytes.Count(head, []byte("\r")) - bytes.Count(head, []byte("\r\n"))
	}
	line, last := 1, rune(0)
	for i := 0; i+1 < len(head); i += 2 {
		c := e.unitAt(head, i)
		if c == '\r' || c == '\n' && last != '\r' {
			line++
		}
		last = c
	}
	return line
}
