package render

import (
	"fmt"
	"strings"
)

// githubCommand is the workflow command of GitHub Actions that annotates a file.
// In a value "%" and line ends are written by their number, in a property ":" and
// "," too, so that no text ends the value that it stands in.
func githubCommand(a annotation) string {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	var b strings.Builder
	b.WriteString("::error ")
	if a.warning {
		b.Reset()
		b.WriteString("::warning ")
	}
	if a.path != "" {
		// Without a line GitHub shows nothing in the change.
		fmt.Fprintf(&b, "file=%s,line=%d,", property.Replace(a.path), max(1, a.line))
	}
	fmt.Fprintf(&b, "title=%s::%s", property.Replace(a.title), data.Replace(a.msg))
	return b.String()
}
