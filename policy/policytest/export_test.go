package policytest

import "github.com/runwrit/writ/policy"

// ParseCases reads a tests.yaml without a policy being compiled. It returns the
// inputs of its cases.
func ParseCases(data, grants []byte) ([]policy.Input, error) {
	cases, err := casesOf(policy.Source{Tests: []policy.File{{Name: policy.TestsFile, Data: data}}}, newOutline(grants))
	inputs := make([]policy.Input, 0, len(cases))
	for _, c := range cases {
		inputs = append(inputs, c.input)
	}
	return inputs, err
}
