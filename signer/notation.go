package signer

// Notation is something that an OpenPGP signature says beside the text that it
// covers: a name, "TAG@DOMAIN", and a text. It is signed, human-readable and not
// critical.
type Notation struct{ Name, Value string }
