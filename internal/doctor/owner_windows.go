package doctor

import "io/fs"

func systemOwner(fs.FileInfo) (uid, gid uint32, ok bool) { return 0, 0, false }
