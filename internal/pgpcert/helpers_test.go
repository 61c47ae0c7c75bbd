package pgpcert_test

import (
	"os"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/pgpcert"
)

// signatureBodies returns the signature packets of a clear-signed file; none if
// it is not one.
func signatureBodies(name string) [][]byte {
	data, err := os.ReadFile(name)
	if err != nil || len(data) > 8<<10 {
		return nil
	}
	doc, err := cleartext.Parse(data)
	if err != nil {
		return nil
	}
	var bodies [][]byte
	for rest := doc.Signature(); len(rest) > 0 && len(bodies) < 8; {
		p, next, err := pgpcert.NextPacket(rest)
		if err != nil {
			break
		}
		bodies = append(bodies, p.Body)
		rest = next
	}
	return bodies
}
