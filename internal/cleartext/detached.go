package cleartext

// ParseSignatureFile reads a file that holds one armored signature block and
// nothing else, as strictly as the block of a document is read: its first line at
// offset 0, only empty lines behind its last one. It returns the signature
// packets and fails with *SyntaxError.
func ParseSignatureFile(data []byte) ([]byte, error) {
	packets, err := parseSignatureFile(data)
	if err != nil {
		return nil, err
	}
	return packets, nil
}

func parseSignatureFile(data []byte) ([]byte, *SyntaxError) {
	s := &scanner{data: data}
	first, end, _ := s.next()
	switch {
	case string(first) != BeginSignature:
		return nil, s.fail(BadArmor, "the first line is not the marker "+BeginSignature)
	case end == endOfFile:
		return nil, s.fail(NoEnd, "there is nothing behind the first line")
	}
	s.mode = end
	d := &Document{}
	if err := d.parseArmor(s); err != nil {
		return nil, err
	}
	if err := d.parseEnd(s); err != nil {
		return nil, err
	}
	return d.signature, nil
}
