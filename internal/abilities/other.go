//go:build !linux

package abilities

import (
	"context"
	"errors"
)

var errOnLinuxOnly = errors.New("only linux has it")

func namespaces(context.Context) (string, error) { return "", errOnLinuxOnly }

func seccomp() (string, error) { return "", errOnLinuxOnly }

func landlock() (string, error) { return "", errOnLinuxOnly }

func noExecSeal() (string, error) { return "", errOnLinuxOnly }

func bubblewrap(context.Context) (string, error) { return "", errOnLinuxOnly }

func controlGroups(string) (string, error) { return "", errOnLinuxOnly }
