// Package identity finds out who asks for a run, and says how it knows: from the
// operating system, for a process or the peer of a local socket. The answer is a
// policy.Caller, whose identity carries its namespace (os:alice) and which says
// whether all of its groups are known.
//
// It does not decide what anybody may do. It never takes a word of the
// environment for it: SUDO_UID and the like are what the caller says of itself.
package identity
