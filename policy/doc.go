// Package policy decides whether a runbook may run, here and now, for this
// caller and with these arguments. It reads a policy folder (grants.yaml and the
// user's .rego files), looks up in Go what the policy says about one Input, lets
// Open Policy Agent decide with a built-in library, and gives out a Permit for
// exactly the payload and the arguments that were decided on.
//
// Everything that is not a clear yes is a denial with a reason: an error, a
// timeout, an undefined or odd answer, an empty set, a zero value. A .rego file
// of the user can deny and warn, never allow; a file without a valid signature, one
// that was signed under another name or as another kind, and a denied digest are
// refused whatever the policy says. Exemptions, and worker groups that only warn,
// lift what the policy denies and nothing else, until they end; the decision says so.
//
// It does not verify signatures, does not find out who the caller is, and does
// not enforce obligations: it relies on the verifier's report and on what the
// Request says, and the worker holds to the permit. During a decision it reads no
// file, uses no network and no clock; the names of time zones are the one exception,
// they are looked up where Go finds them. A user's .rego
// file is trusted not to waste memory: only its time is bounded.
package policy
