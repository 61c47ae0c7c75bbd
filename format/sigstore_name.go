package format

const sigstoreName = "sigstore"
