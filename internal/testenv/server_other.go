//go:build !linux

package testenv

import "os/exec"

func endWithUs(*exec.Cmd) {}
