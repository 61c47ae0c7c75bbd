package whatif

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// bodyVersion is the version of the bodies that can be read;
// docs/formats/ledger.md.
const bodyVersion = 1

// decisionBody are the fields of a decision record that a replay needs.
type decisionBody struct {
	Version int `json:"version"`
	Runbook struct {
		Name string `json:"name"`
	} `json:"runbook"`
	Allow       bool            `json:"allow"`
	DryRun      bool            `json:"dry_run"`
	Deny        []policy.Reason `json:"deny"`
	Warn        []policy.Reason `json:"warn"`
	WouldDeny   []policy.Reason `json:"would_deny"`
	Rules       []string        `json:"rules"`
	TimeoutMS   int64           `json:"timeout_ms"`
	Env         []string        `json:"env"`
	User        string          `json:"user"`
	Sandbox     []string        `json:"sandbox"`
	Tokens      []string        `json:"tokens"`
	Input       *policy.Input   `json:"input"`
	InputSHA256 runbook.Digest  `json:"input_sha256"`
}

var (
	errNoInput = errors.New("the record holds no input")
	errVersion = errors.New("the record has another version than 1")
	errForm    = errors.New("the input of the record is not as this version of writ writes it: a field is missing or unknown")
	errDigest  = errors.New("the input of the record is not the one whose digest stands beside it")
)

// readDecision reads the body of a decision record, and the input in it. Written
// again the input must have the digest that stands beside it: then it is what was
// decided on, and no field was missing, unknown or read as another value. It
// fails with errNoInput where the gate had none to record.
func readDecision(r ledger.Record) (*decisionBody, *policy.Input, error) {
	var body decisionBody
	if err := json.Unmarshal(r.Body, &body); err != nil {
		return nil, nil, fmt.Errorf("the record is not that of a decision: %w", err)
	}
	switch {
	case body.Version != bodyVersion:
		return nil, nil, errVersion
	case body.Input == nil:
		return &body, nil, errNoInput
	}
	again, err := json.Marshal(body.Input)
	if err == nil && runbook.DigestOf(again) == body.InputSHA256 {
		return &body, body.Input, nil
	}
	var raw struct {
		Input json.RawMessage `json:"input"`
	}
	if err := json.Unmarshal(r.Body, &raw); err == nil && runbook.DigestOf(asEncoded(raw.Input)) == body.InputSHA256 {
		return &body, nil, errForm
	}
	return &body, nil, errDigest
}

// asEncoded undoes ledger.ASCII, which wrote each character above "~" in its \u
// form: the digest of the input was taken before. The escapes that encoding/json
// itself writes stay as they are.
func asEncoded(ascii []byte) []byte {
	if !bytes.Contains(ascii, []byte(`\u`)) {
		return ascii
	}
	out := make([]byte, 0, len(ascii))
	for i := 0; i < len(ascii); i++ {
		if ascii[i] != '\\' || i+1 >= len(ascii) {
			out = append(out, ascii[i])
			continue
		}
		r, size := escaped(ascii[i:])
		if size == 0 || r < 0x7f || r == '\u2028' || r == '\u2029' {
			out = append(out, ascii[i], ascii[i+1])
			i++
			continue
		}
		out = append(out, string(r)...)
		i += size - 1
	}
	return out
}

// escaped reads the character whose \u form, or pair of them, b begins with; its
// size is 0 if there is none.
func escaped(b []byte) (r rune, size int) {
	first, ok := unit(b)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(first) {
		return first, 6
	}
	second, ok := unit(b[6:])
	if !ok {
		return 0, 0
	}
	return utf16.DecodeRune(first, second), 12
}

func unit(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}
