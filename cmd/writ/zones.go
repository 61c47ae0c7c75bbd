package main

import (
	"os"
	"time"
)

// ownZones has the time zones be those of the machine, or the ones inside writ,
// whatever the variables of the caller say: hours, freezes and Rego go by them. TZ
// stays for a runbook that is given it. Variables of these names can always be set.
func ownZones() {
	_ = os.Unsetenv("ZONEINFO")
	tz, found := os.LookupEnv("TZ")
	_ = os.Unsetenv("TZ")
	_, _ = time.Now().Zone() // finds out what is local, once and for all
	if found {
		_ = os.Setenv("TZ", tz)
	}
}
