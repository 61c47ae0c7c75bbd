package testenv

import (
	"fmt"
	"strings"
)

// PipelineCommand is a command that a pipeline takes from the log of a step.
type PipelineCommand struct {
	Name       string
	Properties map[string]string
	Data       string
}

// GitHubCommands reads a log as the runner of GitHub Actions does, for which it
// stands in: a line that begins with "::", whatever blanks stand before, and
// "##[" anywhere in another one.
func GitHubCommands(log string) []PipelineCommand {
	var found []PipelineCommand
	for line := range strings.SplitSeq(log, "\n") {
		if command, ok := githubCommand(strings.TrimSpace(line)); ok {
			found = append(found, command)
		} else if _, rest, ok := strings.Cut(line, "##["); ok {
			found = append(found, bracketed(rest, strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3B", ";", "%5D", "]", "%25", "%")))
		}
	}
	return found
}

func githubCommand(line string) (PipelineCommand, bool) {
	rest, ok := strings.CutPrefix(line, "::")
	if !ok {
		return PipelineCommand{}, false
	}
	head, data, ok := strings.Cut(rest, "::")
	if !ok {
		return PipelineCommand{}, false
	}
	unescape := strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%")
	name, list, _ := strings.Cut(head, " ")
	c := PipelineCommand{Name: name, Properties: map[string]string{}, Data: strings.NewReplacer("%0D", "\r", "%0A", "\n", "%25", "%").Replace(data)}
	for property := range strings.SplitSeq(list, ",") {
		if key, value, ok := strings.Cut(strings.TrimSpace(property), "="); ok {
			c.Properties[key] = unescape.Replace(value)
		}
	}
	return c, true
}

// AzureCommands reads a log as the agent of Azure Pipelines does, for which it
// stands in: "##vso[" anywhere in a line, here in any case.
func AzureCommands(log string) []PipelineCommand {
	var found []PipelineCommand
	for line := range strings.SplitSeq(log, "\n") {
		at := strings.Index(strings.ToLower(line), "##vso[")
		if at >= 0 {
			found = append(found, bracketed(line[at+len("##vso["):], strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3B", ";", "%5D", "]", "%AZP25", "%")))
		}
	}
	return found
}

// bracketed reads "name key=value;key=value]data".
func bracketed(rest string, unescape *strings.Replacer) PipelineCommand {
	head, data, _ := strings.Cut(rest, "]")
	name, list, _ := strings.Cut(head, " ")
	c := PipelineCommand{Name: name, Properties: map[string]string{}, Data: unescape.Replace(data)}
	for property := range strings.SplitSeq(list, ";") {
		if key, value, ok := strings.Cut(property, "="); ok {
			c.Properties[strings.TrimSpace(key)] = unescape.Replace(value)
		}
	}
	return c
}

// String shows a command for a message of a test.
func (c PipelineCommand) String() string {
	return fmt.Sprintf("%s %q %q", c.Name, c.Properties, c.Data)
}
