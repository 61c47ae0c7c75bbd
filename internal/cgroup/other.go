//go:build !linux

package cgroup

import "context"

const onLinuxOnly = "only Linux has them"

// Parent is where groups for jobs are made: nowhere.
type Parent struct{}

// Find fails.
func Find(string) (*Parent, error) { return nil, &UnavailableError{onLinuxOnly} }

// Look fails.
func Look(string) (*Parent, error) { return nil, &UnavailableError{onLinuxOnly} }

// Version returns 0.
func (*Parent) Version() int { return 0 }

// Folder returns "".
func (*Parent) Folder() string { return "" }

// New fails.
func (*Parent) New(Limits) (*Group, error) { return nil, &UnavailableError{onLinuxOnly} }

// Group is the control group of one job.
type Group struct{}

// Add fails.
func (*Group) Add(int) error { return &UnavailableError{onLinuxOnly} }

// Processes fails.
func (*Group) Processes() ([]int, error) { return nil, &UnavailableError{onLinuxOnly} }

// Count fails.
func (*Group) Count() (int, error) { return 0, &UnavailableError{onLinuxOnly} }

// Kill fails.
func (*Group) Kill(context.Context) error { return &UnavailableError{onLinuxOnly} }

// Remove fails.
func (*Group) Remove() error { return &UnavailableError{onLinuxOnly} }
