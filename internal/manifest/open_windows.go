package manifest

const openFlags = 0
