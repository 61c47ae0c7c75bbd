// Package pgpcert reads OpenPGP certificates and signatures and judges them:
// which keys of a certificate may sign data now, and whether a signature was
// made by one of them.
//
// It takes from go-crypto the parsing of keys and the mathematics, and nothing
// else: each packet is walked here, each self-signature, revocation and
// back-signature is checked once for each certificate, and the judgement is made
// anew each time, for the time that the caller gives. A Ring is safe for use by
// several goroutines.
//
// It does not follow the web of trust: certifications by others, trust packets
// and user IDs grant nothing. It does not say whom to trust either: a certificate in a
// Ring is one that somebody put into a trust store, and its stores are only noted.
package pgpcert
