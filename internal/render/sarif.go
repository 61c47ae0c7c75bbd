package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/verifier"
)

// maxResults is how many results a document has. GitHub shows 5,000 of one run,
// and refuses a document with more than 25,000.
const maxResults = 5000

// sarifBase is the base of all paths in the repository.
const sarifBase = "%SRCROOT%"

// sarif writes SARIF 2.1.0: a rule for each verdict but valid and each SignState
// that is no success, and a result for each notice.
type sarif struct{ Pipeline }

type sarifText struct {
	Text string `json:"text"`
}

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver sarifDriver `json:"driver"`
	} `json:"tool"`
	Invocations        []sarifInvocation    `json:"invocations"`
	OriginalURIBaseIDs map[string]sarifRoot `json:"originalUriBaseIds"`
	ColumnKind         string               `json:"columnKind"`
	Results            []sarifResult        `json:"results"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version,omitempty"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID                   string          `json:"id"`
	ShortDescription     sarifText       `json:"shortDescription"`
	FullDescription      sarifText       `json:"fullDescription"`
	Help                 sarifText       `json:"help"`
	HelpURI              string          `json:"helpUri"`
	DefaultConfiguration sarifLevel      `json:"defaultConfiguration"`
	Properties           sarifProperties `json:"properties"`
}

type sarifLevel struct {
	Level string `json:"level"`
}

type sarifProperties struct {
	Tags      []string `json:"tags"`
	Precision string   `json:"precision"`
	// Severity is from 0 to 10: of 9 and more GitHub says critical, of 7 high, of 4 medium.
	Severity string `json:"security-severity"`
}

// sarifInvocation says what kept the run from being whole.
type sarifInvocation struct {
	ExecutionSuccessful bool                `json:"executionSuccessful"`
	Notifications       []sarifNotification `json:"toolExecutionNotifications,omitempty"`
}

type sarifNotification struct {
	Level   string    `json:"level"`
	Message sarifText `json:"message"`
}

// sarifRoot says what the base of paths is, and not where it lies on this machine.
type sarifRoot struct {
	Description sarifText `json:"description"`
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Fingerprints map[string]string `json:"partialFingerprints"`
}

type sarifLocation struct {
	Physical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	} `json:"physicalLocation"`
}

type sarifArtifact struct {
	URI       string `json:"uri"`
	URIBaseID string `json:"uriBaseId,omitempty"`
}

type sarifRegion struct {
	StartLine int `json:"startLine"`
}

// maxNotes is how many notes a document has of what was not looked at.
const maxNotes = 100

// Audit has a note for each file that was not looked at.
func (s sarif) Audit(w io.Writer, r *audit.Result) error {
	var notes []sarifNotification
	for i, skipped := range r.Skipped {
		if i == maxNotes {
			notes = append(notes, sarifNotification{"note", sarifText{fmt.Sprintf("%d more were not looked at", len(r.Skipped)-i)}})
			break
		}
		text := fmt.Sprintf("not looked at: %s: %s", clip(skipped.Reason), clip(skipped.Path))
		notes = append(notes, sarifNotification{"note", sarifText{noLinks(text)}})
	}
	return s.write(w, auditNotices(r), len(r.Problems) == 0, notes...)
}

func (s sarif) Verify(w io.Writer, files []File, problems []audit.Problem) error {
	return s.write(w, noticesOf(files, problems), len(problems) == 0)
}

// write writes the document. The worst notices come first, so those that are
// left out are not the worst.
func (s sarif) write(w io.Writer, list []notice, complete bool, notes ...sarifNotification) error {
	run := sarifRun{
		Invocations: []sarifInvocation{{ExecutionSuccessful: complete, Notifications: notes}},
		OriginalURIBaseIDs: map[string]sarifRoot{sarifBase: {sarifText{
			"the root of the repository, or the working directory where there is none",
		}}},
		ColumnKind: "utf16CodeUnits",
		Results:    []sarifResult{},
	}
	rules, index := sarifRules()
	run.Tool.Driver = sarifDriver{Name: "writ", Version: s.Version, InformationURI: projectURL, Rules: rules}
	if left := len(list) - maxResults; left > 0 {
		list = list[:maxResults]
		run.Invocations[0].Notifications = append(notes, sarifNotification{"warning", sarifText{
			fmt.Sprintf("%d more results are left out: this document holds the worst %d", left, maxResults),
		}})
	}
	for _, n := range list {
		run.Results = append(run.Results, s.result(n, index[n.rule]))
	}
	return writeJSON(w, sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run},
	})
}

func (s sarif) result(n notice, rule int) sarifResult {
	place, inside := s.place(n.path)
	message := noLinks(strings.Join(append([]string{n.title()}, n.lines()...), "\n"))
	r := sarifResult{
		RuleID: n.rule, RuleIndex: rule, Level: sarifLevelOf(n.warning), Message: sarifText{message},
		Fingerprints: map[string]string{"primaryLocationLineHash": fingerprint(n, place)},
	}
	// GitHub refuses a whole document for one result without a file, and wants a line.
	var at sarifLocation
	at.Physical.Region.StartLine = max(1, n.line)
	switch {
	case place == "":
		at.Physical.Artifact = sarifArtifact{URI: "-", URIBaseID: sarifBase}
	case inside:
		at.Physical.Artifact = sarifArtifact{URI: uriPath(place), URIBaseID: sarifBase}
	default:
		at.Physical.Artifact = sarifArtifact{URI: "file://" + uriPath("/"+strings.TrimPrefix(place, "/"))}
	}
	r.Locations = []sarifLocation{at}
	return r
}

// noLinks keeps a reader from making a link of "[words](address)" in a message.
func noLinks(text string) string { return strings.ReplaceAll(text, "](", "] (") }

// fingerprint is the same for the same trouble with the same file, whatever else
// is in the file: GitHub and others show it once, until it is gone. The name of
// the property is the only one that GitHub reads; it would compute one of its own
// from the text of a line.
func fingerprint(n notice, place string) string {
	sum := sha256.Sum256([]byte(n.rule + "\x00" + n.code + "\x00" + place))
	return hex.EncodeToString(sum[:8]) + ":1"
}

// uriPath writes a path as the path of a URI. A ":" in the first part would be
// read as the end of a scheme.
func uriPath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(part), ":", "%3A")
	}
	return strings.Join(parts, "/")
}

const (
	projectURL = "https://github.com/runwrit/writ"
	checksURL  = projectURL + "/blob/main/docs/formats/checks.md"
)

// sarifRules are the rules, the worst first, and the place of each.
func sarifRules() (rules []sarifRule, index map[string]int) {
	index = map[string]int{}
	add := func(id, short, full, help string, warning bool, severity string) {
		index[id] = len(rules)
		if help == "" {
			help = full
		}
		rules = append(rules, sarifRule{
			ID: id, ShortDescription: sarifText{short}, FullDescription: sarifText{full}, Help: sarifText{help}, HelpURI: checksURL,
			DefaultConfiguration: sarifLevel{sarifLevelOf(warning)},
			Properties:           sarifProperties{Tags: []string{"security", "signature"}, Precision: "very-high", Severity: severity},
		})
	}
	for _, v := range verifier.Verdicts() {
		if v != verifier.Valid {
			add(v.String(), notice{rule: v.String()}.title(), meaning(v), Repair(v), false, severityOf(v))
		}
	}
	for _, r := range signRules() {
		add(string(r.state), notice{rule: string(r.state)}.title(), r.said, r.todo, false, "7.0")
	}
	add(findingRule, notice{rule: findingRule}.title(), "the signature is valid, and there is something to say about the file",
		"look at the file, and take out what nobody meant to be in it; then sign it again", true, "5.0")
	add(expiringRule, notice{rule: expiringRule}.title(), "the signature is valid, and ends within the time that was asked for", expiringTodo, true, "5.0")
	return rules, index
}

// mostSevere is what GitHub calls critical.
const mostSevere = "9.0"

// severityOf says how bad a verdict is for whoever relies on the file. Whatever it
// is, the file is not valid and will not run.
func severityOf(v verifier.Verdict) string {
	switch v {
	case verifier.Tampered, verifier.BadSignature, verifier.Malformed, verifier.Revoked:
		return mostSevere
	case verifier.Damaged, verifier.Expired, verifier.Unsupported:
		return "5.0"
	default:
		return "7.0"
	}
}

func sarifLevelOf(warning bool) string {
	if warning {
		return "warning"
	}
	return "error"
}
