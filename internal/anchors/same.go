package anchors

import (
	"github.com/runwrit/writ/internal/pgpcert"
)

// In reports whether a list holds the anchor already. Of an OpenPGP certificate
// every packet must be there: a copy with a newer self-signature, or a revocation,
// is something new.
func (a Anchor) In(list []Anchor) bool {
	if a.Kind != KindOpenPGP && a.Kind != KindRevocation {
		for _, o := range list {
			if o.ID == a.ID && o.Room == a.Room {
				return true
			}
		}
		return false
	}
	known := map[string]bool{}
	for _, o := range list {
		if o.Room == a.Room && (a.Kind == KindRevocation || o.ID == a.ID) {
			for _, p := range packets(o.data) {
				known[p] = true
			}
		}
	}
	for _, p := range packets(a.data) {
		if !known[p] {
			return false
		}
	}
	return len(known) > 0
}

// packets returns the packets of a block, each with its kind before it.
func packets(data []byte) []string {
	var list []string
	for len(data) > 0 {
		p, rest, err := pgpcert.NextPacket(data)
		if err != nil {
			return append(list, string(data))
		}
		list = append(list, string([]byte{p.Tag})+string(p.Body))
		data = rest
	}
	return list
}
