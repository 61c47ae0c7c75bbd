// Package whatif says what another policy would decide. Replay decides the
// recorded decisions of a ledger again, each with the facts and at the time of its
// record; Simulate decides every runbook of a library for a list of workers and a
// list of callers.
//
// Nothing here permits a run: no decision of this package carries a permit, and
// nothing is written anywhere. An answer is as good as the facts that went in. A
// replay takes the facts of the records, so that it says nothing about another
// trust store; a record from which something was left out, such as a secret, is
// decided with what is left, and marked. A simulation knows nobody's real groups,
// only those that it was told.
package whatif
