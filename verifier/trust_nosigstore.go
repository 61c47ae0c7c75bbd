//go:build nosigstore

package verifier

// sigstoreRooms are none: this build has no format that reads them.
var sigstoreRooms []Room

// absentRooms belong to the layout of a trust store, and this build cannot honour
// them. Ignoring what an operator has put there would be a silent yes.
var absentRooms = []Room{RoomSigstore, RoomSigstoreIdentities}
