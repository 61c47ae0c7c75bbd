package signer

import (
	"context"
	"crypto"
	"encoding/pem"
	"errors"
	"strings"
)

// OpenPrivateKey opens a private key that needs no certificate, for what is not a
// runbook: a PEM file with one private key of any kind that OpenKey knows, also
// encrypted, "env://" with what such a file would hold, or a key in a KMS, each as
// OpenKey takes it. O.Cert is not looked at. It returns notes about the key for the
// user, and fails as OpenKey does.
func OpenPrivateKey(ctx context.Context, source string, o KeyOptions) (key crypto.Signer, notes []string, err error) {
	switch isEnv := strings.HasPrefix(source, envScheme); {
	case KeptByGPG(source) || strings.HasPrefix(source, openPGPScheme):
		return nil, nil, &KeyError{source, "an OpenPGP key: a PEM file, env://NAME or a key in a KMS is possible here"}
	case sourceScheme.MatchString(source) && !isEnv:
		o.Cert = ""
		bare, err := openKMS(ctx, source, o)
		if err != nil {
			return nil, nil, err
		}
		return WithContext(ctx, bare.signer), bare.notes, nil
	}
	data, notes, err := readKeySource(source)
	if err != nil {
		return nil, nil, err
	}
	defer clear(data)
	file := keyFile{source: source, data: data}
	block, err := file.onlyPrivateKey()
	if err != nil {
		return nil, nil, err
	}
	parse := func(passphrase []byte) (crypto.Signer, error) {
		return withinTime(ctx, source, func() (crypto.Signer, error) {
			private, err := file.decodePrivate(block, passphrase)
			if err != nil {
				return nil, err
			}
			key, ok := private.(crypto.Signer)
			if !ok {
				return nil, file.fail("a key that cannot sign")
			}
			return key, nil
		})
	}
	key, err = parse(nil)
	if errors.Is(err, errEncrypted) {
		var passphrase []byte
		if passphrase, err = o.Passphrase.ask(ctx, source); err != nil {
			return nil, nil, err
		}
		key, err = parse(passphrase)
		clear(passphrase)
	}
	return key, notes, err
}

// onlyPrivateKey finds the one private key of a PEM file. Certificates and
// parameters beside it are left out.
func (f *keyFile) onlyPrivateKey() (*pem.Block, error) {
	var key *pem.Block
	rest := f.data
	for range maxPEMBlocks {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		switch {
		case block == nil && key == nil:
			return nil, f.fail("no private key in PEM form in the file")
		case block == nil:
			return key, nil
		case !strings.HasSuffix(block.Type, "PRIVATE KEY"):
		case key != nil:
			return nil, f.fail("more than one private key")
		default:
			key = block
		}
	}
	return nil, f.fail("more than %d PEM blocks", maxPEMBlocks)
}
