package runbook

import "os"

func openFlags(bool) int { return os.O_RDONLY }

func isLinkLoop(error) bool { return false }
