// Command writ signs runbooks, verifies them, decides whether they may run, and
// runs exactly the bytes that it verified.
//
// This package holds no logic of its own: it reads flags, calls the packages
// that do the work, and turns what they return into output and one exit code.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, newApp(), os.Args[1:])
	stop()
	os.Exit(code)
}
