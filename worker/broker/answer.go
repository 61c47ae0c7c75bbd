package broker

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// refusalError is an answer without a token.
type refusalError struct {
	status    int
	code      string // stable
	message   string
	challenge string // path of the file with the secret
}

func refuse(status int, code, message string) *refusalError {
	return &refusalError{status: status, code: code, message: message}
}

func (e *refusalError) Error() string { return e.code + ": " + e.message }

// granted is the answer with a token. Times are texts, as in what the services answer.
type granted struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   string `json:"expires_in"`
	ExpiresOn   string `json:"expires_on"`
	Resource    string `json:"resource"`
	TokenType   string `json:"token_type"`
	ClientID    string `json:"client_id,omitempty"`
}

func grant(k kept, audience, clientID string, now time.Time) *granted {
	return &granted{
		AccessToken: string(k.token), Resource: audience, TokenType: "Bearer", ClientID: clientID,
		ExpiresOn: strconv.FormatInt(k.expires.Unix(), 10), ExpiresIn: strconv.FormatInt(int64(k.expires.Sub(now)/time.Second), 10),
	}
}

// The forms in which the two protocols say no.
type (
	appServiceError struct {
		StatusCode int    `json:"statusCode"`
		Message    string `json:"message"`
	}
	arcError struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
)

// arcWords are the words of OAuth for a status.
var arcWords = map[int]string{401: "unauthorized", 403: "access_denied", 429: "too_many_requests", 500: "server_error", 503: "temporarily_unavailable"}

// reasons are the words of HTTP.
var reasons = map[int]string{
	200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout",
	429: "Too Many Requests", 431: "Request Header Fields Too Large", 500: "Internal Server Error", 503: "Service Unavailable",
}

// response is what is sent for a token.
func (g *granted) response() []byte { return response(200, "", g) }

// response is what is sent for a refusal, in the protocol's own form.
func (e *refusalError) response(p Protocol) []byte {
	more := ""
	switch {
	case e.challenge != "":
		// Scripts look for the name in this very form.
		more = "Www-Authenticate: Basic realm=" + e.challenge + "\r\n"
	case e.status == 405:
		more = "Allow: GET\r\n"
	case e.status == 429:
		more = "Retry-After: 1\r\n"
	}
	if p != Arc {
		return response(e.status, more, appServiceError{e.status, e.Error()})
	}
	word := arcWords[e.status]
	if word == "" {
		word = "invalid_request"
	}
	return response(e.status, more, arcError{word, e.Error()})
}

func response(status int, more string, body any) []byte {
	content, err := json.Marshal(body)
	if err != nil { // it holds texts and numbers
		content = []byte("{}")
	}
	const form = "HTTP/1.1 %d %s\r\nContent-Type: application/json; charset=utf-8\r\nCache-Control: no-store\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n%s"
	return fmt.Appendf(nil, form, status, reasons[status], len(content), more, content)
}
