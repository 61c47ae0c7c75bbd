package main

import (
	"errors"
	"os"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/bundle"
	"github.com/runwrit/writ/policy/store"
)

// whatIfPolicy reads the policy that replay and simulate try: a folder, or a
// bundle that is not in use yet. Its signatures are not checked, and it has no
// time from which it holds: nothing is done by what it decides.
func whatIfPolicy(path string) (policy.Source, *policy.Engine, error) {
	src, err := whatIfSource(path)
	var usage usageError
	if errors.As(err, &usage) {
		return policy.Source{}, nil, err
	}
	var engine *policy.Engine
	if err == nil {
		src.Release = policy.Release{}
		engine, err = policy.New(src)
	}
	if err != nil {
		return policy.Source{}, nil, policyError(path, err)
	}
	return src, engine, nil
}

func whatIfSource(path string) (policy.Source, error) {
	if store.Is(path) {
		return policy.Source{}, usagef("%q is a policy store: name a policy folder or a bundle to try", path)
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return policy.ReadFolder(path, policy.LoadOptions{})
	}
	data, err := readAtMost(path, bundle.MaxSize)
	if err != nil {
		return policy.Source{}, err
	}
	b, err := bundle.ReadUnverified(data)
	var refused *bundle.RefusedError
	if errors.As(err, &refused) {
		return policy.Source{}, usagef("%q: %w", path, err)
	}
	if err != nil {
		return policy.Source{}, err
	}
	return b.Source(), nil
}
