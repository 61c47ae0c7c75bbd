package contain

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// maxMessage bounds one message on the socket.
const maxMessage = 8 << 10

// What a caller asks of its stage.
const (
	askGo     = "go"     // start the process
	askSignal = "signal" // send the process, and its group, a signal
	askKill   = "kill"   // kill it, and all that it started
)

// What a stage says.
const (
	sayReady       = "ready"       // contained, and waiting
	sayUnavailable = "unavailable" // cannot be contained
	sayRunning     = "running"     // the program was executed
	sayFailed      = "failed"      // the program could not be executed
	sayEnded       = "ended"
)

// message is one in either direction.
type message struct {
	Is string `json:"is"`
	// Signal is the one to send, or that ended the process.
	Signal int `json:"signal,omitempty"`
	// By names what contains it (sayReady).
	By []string `json:"by,omitempty"`
	// Step and Reason say what could not be done.
	Step   string `json:"step,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Errno is the number of the error that executing the program made.
	Errno int `json:"errno,omitempty"`
	Code  int `json:"code,omitempty"`
	Left  int `json:"left,omitempty"`
}

// encode returns the message as it is sent; a reason that is too long is cut.
func (m message) encode() ([]byte, error) {
	const most = 2 << 10
	m.Step, m.Reason = m.Step[:min(len(m.Step), most)], m.Reason[:min(len(m.Reason), most)]
	data, err := json.Marshal(m)
	if err == nil && len(data) > maxMessage {
		err = errors.New("message to or from the stage: too long")
	}
	return data, err
}

func decodeMessage(data []byte) (message, error) {
	var m message
	if len(data) > maxMessage {
		return m, errors.New("message to or from the stage: too long")
	}
	return m, decodeStrictly(data, &m)
}

func decodeSpec(data []byte) (*Spec, error) {
	if len(data) > MaxSpec {
		return nil, specError("more than %d bytes", MaxSpec)
	}
	s := &Spec{}
	if err := decodeStrictly(data, s); err != nil {
		return nil, specError("%v", err)
	}
	return s, s.check()
}

// decodeStrictly takes one JSON value without unknown keys, and nothing behind it.
func decodeStrictly(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the value")
	}
	return nil
}
