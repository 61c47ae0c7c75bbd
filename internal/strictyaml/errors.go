package strictyaml

import (
	"fmt"
	"strings"
)

// FileError is one problem of one file.
type FileError struct {
	File string
	Line int // counts from 1; 0 where the whole file is meant
	// Column counts from 1; 0 for none.
	Column int
	// Field is the place in the file, such as "rules[2].signed_by.at_least".
	Field string
	Msg   string
}

func (e *FileError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ":%d", e.Column)
		}
	}
	if e.Field != "" {
		fmt.Fprintf(&b, ": %s", e.Field)
	}
	fmt.Fprintf(&b, ": %s", e.Msg)
	return b.String()
}
