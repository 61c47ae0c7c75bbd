package render

import (
	"fmt"
	"strings"
)

// azureCommand is the logging command of Azure Pipelines that shows an issue. In
// all values "%" is written as %AZP25, and ";", "]" and line ends by their number:
// the agent reads them so in properties and in the message alike.
func azureCommand(a annotation) string {
	value := strings.NewReplacer("%", "%AZP25", "\r", "%0D", "\n", "%0A", ";", "%3B", "]", "%5D")
	kind := "error"
	if a.warning {
		kind = "warning"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "##vso[task.logissue type=%s;", kind)
	if a.path != "" {
		fmt.Fprintf(&b, "sourcepath=%s;linenumber=%d;", value.Replace(a.path), max(1, a.line))
	}
	fmt.Fprintf(&b, "code=%s;]%s", value.Replace(a.code), value.Replace(a.title+": "+a.msg))
	return b.String()
}
