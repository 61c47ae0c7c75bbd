// Package policytest runs the tests of a policy: the cases of tests.yaml, which are
// data for people who write no Rego, and the rules named test_... of *_test.rego
// files. It counts what they prove: which rules of grants.yaml ever allowed, which
// part of which rule was ever the one thing that denied, and which lines of the
// user's Rego were evaluated.
//
// Each case is decided by the engine that a gate uses, on an input that says what a
// verifier and an operating system would have said. Nothing is verified and nothing
// is run. That all tests pass says that the policy does what its author wrote down,
// not that this is what the author wants.
package policytest
