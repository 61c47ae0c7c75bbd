// Package broker gives a runbook the tokens that its policy grants. For one run it
// opens a port of its own on 127.0.0.1 and speaks there one of the two protocols by
// which programs get the token of a managed identity: that of App Service (and Azure
// Automation), or that of the agent of Azure Arc. The libraries of Azure find it by the
// environment that the runbook gets.
//
// What it promises: nobody gets anything who does not show the secret of this run; the
// secret is random, known to the run alone, and good for nothing when the run has ended;
// a token is handed out only for an audience that is on the list of this run, and only
// after that was recorded; of tokens and secrets nothing is recorded or said in an error.
// Whatever is sent to the port, by whomever, costs little memory and time.
//
// What it does not promise: a process that can read the runbook's environment, memory or
// files (the same user without a sandbox, root) has its secret and so its tokens, and a
// token that was handed out is good until it expires, also when the run is over.
package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/runwrit/writ/internal/audience"
)

// Protocol is the one that a broker speaks. The zero value is none.
type Protocol string

// The protocols.
const (
	// AppService shows the secret in a header; the environment holds it.
	AppService Protocol = "app-service"
	// Arc answers with the path of a file, and wants to see what is in it.
	Arc Protocol = "arc"
)

// Protocols lists them.
func Protocols() []Protocol { return []Protocol{AppService, Arc} }

// Limits of one run.
const (
	// DefaultPatience is how long a client may take to put its question, and to take
	// the answer.
	DefaultPatience = 2 * time.Second
	// sourceTimeout is how long the source may take for one token.
	sourceTimeout = 10 * time.Second
	// maxHead is the largest request in bytes.
	maxHead = 8 << 10
	// maxClients is how many are served at a time; the oldest that is silent gives way.
	maxClients = 128
	// maxRecords is how many decisions of one run are recorded: of more nothing is
	// handed out.
	maxRecords = 1_000
	// burst is how many questions may come at once, and pace how long it takes until
	// one more may come.
	burst = 60
	pace  = 500 * time.Millisecond
	// reserve is how long a token that is handed out a second time must still be good.
	reserve = 5 * time.Minute
)

// Source is where tokens come from: the managed identity of the host. It is safe for
// use by several goroutines. An error is recorded: it holds no secret.
type Source interface {
	Token(ctx context.Context, audience string) (token []byte, expires time.Time, err error)
}

// Options are the parts of a Broker. Source and Protocol are required.
type Options struct {
	Source   Source
	Protocol Protocol
	// ClientID is that of the source's identity. A runbook may name this one, and no
	// other. "" for the machine's own, which has to be asked for without a name.
	ClientID string
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Patience is in place of DefaultPatience, if it is not 0.
	Patience time.Duration
}

// Broker opens an Endpoint for each run. It is safe for use by several goroutines.
type Broker struct{ o Options }

// New returns a Broker.
func New(o Options) (*Broker, error) {
	switch {
	case o.Source == nil:
		return nil, errors.New("token broker: there is no source of tokens")
	case !slices.Contains(Protocols(), o.Protocol):
		return nil, fmt.Errorf("token broker: unknown protocol %q", o.Protocol)
	case o.ClientID != "" && audience.Problem(o.ClientID) != "":
		return nil, fmt.Errorf("token broker: %q is no client ID", o.ClientID)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	return &Broker{o}, nil
}

// Protocol is the one that the broker speaks.
func (b *Broker) Protocol() Protocol { return b.o.Protocol }

// Decision is what became of a question of the runbook.
type Decision struct {
	Audience string
	// Allowed says that the audience is on the list of the run.
	Allowed bool
	// Given says that there is a token, which is handed out once this is recorded.
	Given bool
	// Expires is the end of that token.
	Expires time.Time
	// Error says why there is none although it is allowed.
	Error string
}

// Job is one run.
type Job struct {
	// Audiences are those that the policy grants; not empty.
	Audiences []string
	// Record puts a decision on record before it has effect. If it fails, there is no
	// token. It is called once for each token that comes from the source, and for each
	// audience that is refused.
	Record func(context.Context, Decision) error
	// Given is told each token before it is handed out, so that it can be kept out of
	// logs; nil for nobody. One of which it returns false is not handed out.
	Given func(token string) bool
	// SecretFile is for Arc: the path of the file with the secret, as the runbook sees
	// it. Whoever opens the endpoint puts Secret there, for the runbook's user only.
	SecretFile string
}
