package main

import "strings"

// repeated is the value of a flag that may be given several times. The flag
// library's own makes a buffer of 4 KiB for each such flag of each command, at each
// start of the program.
type repeated []string

// String implements pflag.Value.
func (r *repeated) String() string { return strings.Join(*r, " ") }

// Set implements pflag.Value.
func (r *repeated) Set(value string) error {
	*r = append(*r, value)
	return nil
}

// Type implements pflag.Value: shell completion goes by this word and offers the
// flag again.
func (r *repeated) Type() string { return "stringArray" }
