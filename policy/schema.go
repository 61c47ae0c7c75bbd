package policy

import (
	_ "embed"
)

//go:embed schema/input.v1.json
var inputSchema []byte

//go:embed schema/decision.v1.json
var decisionSchema []byte

// InputSchema returns the JSON schema (draft 7) of Input.
func InputSchema() []byte { return append([]byte(nil), inputSchema...) }

// DecisionSchema returns the JSON schema (draft 7) of Decision.
func DecisionSchema() []byte { return append([]byte(nil), decisionSchema...) }
