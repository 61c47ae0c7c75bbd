// Package identity finds out who asks for a run, and says how it knows: from the
// operating system, for a process or the peer of a local socket, or from a signed
// token (a JWT of OpenID Connect, Microsoft Entra, GitHub Actions or SPIFFE). The
// answer is a policy.Caller, whose identity carries its namespace (os:alice,
// entra:TENANT:OBJECT) and which says whether all of its groups are known.
//
// A token counts if a table of issuers that the machine's owner wrote says so:
// whose keys, for which audience, with which algorithms, for how long. Its form
// is checked here, strictly, before the library that checks the signature sees
// it. Of a token only what a policy needs goes on, and its digest; the token
// itself is in no result and in no error.
//
// It does not decide what anybody may do, and does not notice a token that is
// used a second time. It never takes a word of the environment for who somebody
// is: SUDO_UID and the like are what the caller says of itself. It talks to the
// network only to fetch keys from where the table says.
package identity
