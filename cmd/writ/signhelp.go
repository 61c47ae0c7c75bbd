package main

// signHelp is the help of writ sign.
const signHelp = `Sign runbooks. An X.509 key signs PowerShell and other script files of Windows
in place (authenticode), an OpenPGP key signs any runbook as clear-signed text
in NAME.asc. A folder stands for the runbooks in it that the key can sign.
--key gpg:FINGERPRINT has GnuPG sign, with a key in its agent or on a smart card;
--key NAME://... a KMS, or the plugin sigstore-kms-NAME in PATH.
--format sigstore writes a Sigstore bundle, NAME.sigstore.json, with any key but an
OpenPGP one: of any runbook, whose bytes stay as they are.

Use it on the machine of the author or in a protected pipeline. What was signed
is verified before it replaces anything; a failure leaves every file as it was.
A file that this key has signed as it stands is left alone. With --check nothing
is written: it names the files that are unsigned or stale; --trust, --ca or
--keyring may then stand in for the key.

--append adds a signature to a signed file, NAME.asc or one that is signed in
place, that is valid by --trust, --ca or --keyring, and leaves its text and its
other signatures as they are. --remove takes the whole signature block off.
--replace signs anew, whoever signed before, and takes all signatures off; without
it a file with several is refused.

An OpenPGP signature says name and kind of the runbook, and with --runbook-version
and --namespace these too; a policy may refuse older versions.

--normalize takes blanks and CRs off the line ends of a file that is to be
clear-signed, and ends its last line: in the file, and in what is signed. It shows
what changes, names the lines where that may have a meaning, and asks, or takes --yes.

--resign --if-signer OLD signs anew, with another key and in the formats that it
has, what OLD has signed and nobody has changed since, with the Sigstore bundles
beside it and the manifests of projects; all other files are left alone, and
listed. With --check it says what would be done.

Several files are signed at a time (--jobs), each once, however often it is named.
After an interruption, or a fault of the key, the same command goes on with what
is not signed yet.

With --timestamp an authenticode signature or a Sigstore bundle gets an RFC 3161
timestamp, or nothing is signed; with --tsa only one by these authorities will do.

--format authenticode,sigstore signs in both at once, or in neither. With --fulcio
bundles need no key: an identity token gets a certificate that lasts for minutes,
and --rekor or --timestamp proves when it was used. What --trust or --trusted-root
does not find valid is not written. Only the services that are named are asked.

Exit codes: 0 signed (with --check: all are signed), 1 a file is not, 2 the
question is malformed or the key does not fit, 3 a file cannot be read or
written, no authority gave a timestamp, or whoever keeps the key, certifies or
logs did not answer, or gave nothing good.`

const signExamples = `  writ sign --key codesign.key.pem --cert codesign.pem restart.ps1
  writ sign --key signer.key.asc --passphrase-file passphrase.txt deploy.sh
  writ sign --key gpg:0123456789ABCDEF0123456789ABCDEF01234567 deploy.sh
  writ sign --key awskms:///alias/runbooks --cert codesign.pem restart.ps1
  writ sign --key signer.key.asc --runbook-version 1.4 --namespace prod deploy.sh
  writ sign --format sigstore --key codesign.key.pem --cert codesign.pem deploy.sh
  writ sign --append --trust trust --key second.key.asc deploy.sh.asc
  writ sign --append --trust trust --key second.pem --cert second.crt restart.ps1
  writ sign --remove restart.ps1
  writ sign --key codesign.key.pem --cert codesign.pem --timestamp http://tsa.example restart.ps1
  writ sign --resign --if-signer old.crt --key new.pem --cert new.crt runbooks
  writ sign --format authenticode,sigstore --key codesign.key.pem --cert codesign.pem restart.ps1
  writ sign --format sigstore --fulcio https://fulcio.example --rekor https://rekor.example --identity-token-from github --trust trust runbooks
  writ sign --check --trust trust runbooks
  writ sign --check --trust trust -o github runbooks`
