package manifest_test

const keepsModes = false
