package guard

import "io/fs"

func owned(fs.FileInfo) error { return nil }

func othersMayWrite(fs.FileInfo) bool { return false }

func othersMayRead(fs.FileInfo) bool { return false }

func othersMayRename(fs.FileInfo) bool { return false }
