//go:build !nosigstore

package verifier

// sigstoreRooms are the rooms that the format of Sigstore bundles reads.
var sigstoreRooms = []Room{RoomSigstore, RoomSigstoreIdentities}

// absentRooms belong to the layout of a trust store, and this build cannot honour
// them. Ignoring what an operator has put there would be a silent yes.
var absentRooms []Room
