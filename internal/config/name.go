package config

// NameProblem says why s cannot be the id or the group of a worker; "" if it can.
func NameProblem(s string) string { return nameProblem(s) }
