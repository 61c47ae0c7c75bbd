package signer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runwrit/writ/internal/lazyregexp"
)

// Limits of asking the keeper of a key: a KMS, or the program in front of one.
const (
	// keeperTime bounds one call.
	keeperTime = 30 * time.Second
	// maxTries is how often a call is made that fails for a reason that passes.
	maxTries = 4
	// firstPause is the pause after the first try; each further one is four times
	// as long: 0.25, 1 and 4 seconds.
	firstPause = 250 * time.Millisecond

	// endTime is what a client has to end after its time is up: to kill a plugin, which
	// would outlive us otherwise.
	endTime = 500 * time.Millisecond

	maxKeeperQuote = 400 // bytes of what a keeper says that are kept in an error
	minSecret      = 4   // bytes of a variable's value that is looked for in what a keeper says: as many as a PIN has
)

// UnavailableError says that whoever keeps a key gave no answer, for a reason
// that may pass: a timeout, a refused connection, too many requests, an outage. It
// wraps the *KeyError that says so.
type UnavailableError struct{ Key *KeyError }

func (e *UnavailableError) Error() string { return e.Key.Error() }

// Unwrap returns the *KeyError.
func (e *UnavailableError) Unwrap() error { return e.Key }

// timeoutError is the cause of a call's end when its time is up.
type timeoutError struct{ within time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("no answer within %s", e.within) }

// errPanicked is a call that panicked: the clients of a KMS take it that an
// answer has in it what it should have.
var errPanicked = errors.New("the answer lacks what was asked for")

// keeper is whoever keeps a key: what is asked of it may take long, fail, or be
// answered wrongly. It may be asked by several goroutines.
type keeper struct {
	source   string // as it may be shown
	callTime time.Duration
	pause    func(ctx context.Context, d time.Duration) error
}

func newKeeper(source string, o KeyOptions) *keeper {
	k := &keeper{source: source, callTime: o.CallTime, pause: o.Pause}
	if k.callTime <= 0 {
		k.callTime = keeperTime
	}
	if k.pause == nil {
		k.pause = pause
	}
	return k
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// askKeeper makes one call, each try within its time, and again where it failed
// for a reason that passes. What is "to" names the call for errors: *KeyError,
// *UnavailableError, or the cause if ctx ends.
func askKeeper[T any](ctx context.Context, k *keeper, to string, ask func(context.Context) (T, error)) (T, error) {
	var none T
	for try := 1; ; try++ {
		answer, err := within(ctx, k.callTime, ask)
		if err == nil {
			return answer, nil
		}
		if ctx.Err() == nil && try < maxTries && isTransient(err) {
			if k.pause(ctx, firstPause<<(2*(try-1))) == nil {
				continue
			}
		}
		if ctx.Err() != nil {
			return none, fmt.Errorf("%s with key %q: %w", to, k.source, context.Cause(ctx))
		}
		return none, k.failed(to, try, err)
	}
}

// within makes one call. A client that does not look at its context is left
// behind soon after the time is up, and a panic of one is an error.
func within[T any](ctx context.Context, limit time.Duration, ask func(context.Context) (T, error)) (T, error) {
	type result struct {
		answer T
		err    error
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &timeoutError{limit})
	defer cancel()
	done := make(chan result, 1)
	go func() {
		r := result{err: errPanicked}
		defer func() {
			_ = recover() // r still says what to make of it
			done <- r
		}()
		answer, err := ask(ctx)
		r = result{answer, err}
	}()
	var none T
	select {
	case r := <-done:
		switch {
		case r.err == nil:
			return r.answer, nil
		case ctx.Err() != nil: // whatever the client makes of it
			return none, context.Cause(ctx)
		}
		return none, r.err
	case <-ctx.Done():
		timer := time.NewTimer(endTime)
		defer timer.Stop()
		select {
		case <-done: // too late, whatever it is
		case <-timer.C:
		}
		return none, context.Cause(ctx)
	}
}

// failed is the error of a call that was given up.
func (k *keeper) failed(to string, tries int, err error) error {
	var own *KeyError
	if errors.As(err, &own) {
		return own
	}
	said := quoteKeeper(err)
	if !isTransient(err) {
		return &KeyError{k.source, fmt.Sprintf("cannot %s: its keeper said %s", to, said)}
	}
	return &UnavailableError{&KeyError{k.source, fmt.Sprintf("cannot %s: no answer from its keeper after %d tries, the last said %s", to, tries, said)}}
}

var (
	// statusSaid finds an HTTP status in what a client library says of an answer, in
	// the words of Vault ("Code: 503"), Azure ("RESPONSE 503"), AWS ("StatusCode: 503")
	// and others ("status 503", "HTTP 503"). Plugins pass such words on, and have
	// no other way to say it.
	statusSaid = lazyregexp.New(`(?i)(?:\bcode: ?|\bstatus(?: ?code)?:? ?|\bresponse:? |\bhttp(?:/[0-9.]+)? )([1-5][0-9]{2})\b`)
	// throttled are errors of AWS, which come with status 400.
	throttled = lazyregexp.New(`\b(?:ThrottlingException|LimitExceededException|DependencyTimeoutException|KMSInternalException)\b`)
	// passing are causes that may be gone at the next try.
	passing = lazyregexp.New(`(?i)connection (?:refused|reset|timed out)|actively refused it|forcibly closed|i/o timeout|tls handshake timeout|deadline exceeded|code = (?:Unavailable|ResourceExhausted|DeadlineExceeded|Aborted)\b`)
)

// isTransient says whether another try makes sense. A status decides where there
// is one: a refusal stays one whatever words are in its text.
func isTransient(err error) bool {
	var timeout *timeoutError
	if errors.As(err, &timeout) {
		return true
	}
	said := err.Error()
	if throttled.MatchString(said) {
		return true
	}
	if m := statusSaid.FindStringSubmatch(said); m != nil {
		status, _ := strconv.Atoi(m[1]) // three digits
		return status == 429 || status >= 500 && status != 501
	}
	return passing.MatchString(said)
}

// quoteKeeper returns what a keeper said as one short line without control
// characters, and without the secrets that it was given in the environment.
func quoteKeeper(err error) string {
	said := strings.Join(strings.Fields(withoutSecrets(err.Error())), " ")
	if len(said) > maxKeeperQuote {
		said = said[:maxKeeperQuote] + "..."
	}
	return strconv.Quote(strings.ToValidUTF8(said, "?"))
}

// secretName matches the names of variables whose values are no one's business.
var secretName = lazyregexp.New(`(?i)TOKEN|SECRET|PASS|PIN|KEY|CREDENTIAL`)

// withoutSecrets takes out the values of such variables: some services repeat
// in an error what they were asked with. The longest come first: one value may be
// the beginning of another.
func withoutSecrets(said string) string {
	type secret struct{ name, value string }
	var secrets []secret
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if len(value) >= minSecret && secretName.MatchString(name) {
			secrets = append(secrets, secret{name, value})
		}
	}
	slices.SortFunc(secrets, func(a, b secret) int { return len(b.value) - len(a.value) })
	var pairs []string
	for _, s := range secrets {
		pairs = append(pairs, s.value, "(value of "+s.name+")")
	}
	return strings.NewReplacer(pairs...).Replace(said)
}
