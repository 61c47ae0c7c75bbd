package format

import (
	"crypto/x509"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ocsp"
)

// FetchFunc gets what stands behind an http or https URL: with a request by POST,
// as OCSP wants it, else by GET. It has to bound time and size. It is called by
// one goroutine at a time.
type FetchFunc func(url string, request []byte) ([]byte, error)

// Limits of what is fetched.
const (
	maxURLs    = 3    // of each kind in one certificate
	maxFetched = 1000 // in the life of a checker
)

// onlineRevocations asks where certificates say that their revocation is to be
// learnt. Every place is asked once, whatever it answers. What it answers is
// judged as if it had been in the trust store.
type onlineRevocations struct {
	fetch FetchFunc

	mu    sync.Mutex
	known map[string]*revocations // by URL, with the certificate for OCSP; nil for no answer
	why   map[string]string       // there is no answer
}

// ask gathers answers about cert, which issuer has issued, until one is fresh:
// OCSP first, since it is the smaller question. Only certificates of a chain to
// the trust store are asked about, so that a stranger's signature sends nobody
// anywhere.
func (o *onlineRevocations) ask(cert, issuer *x509.Certificate, now time.Time) []revocationAnswer {
	var answers []revocationAnswer
	request, err := ocsp.CreateRequest(cert, issuer, nil)
	if err == nil {
		for _, url := range firstURLs(cert.OCSPServer) {
			answers = append(answers, o.at(url, request, cert, issuer, now)...)
			if settled(answers) {
				return answers
			}
		}
	}
	for _, url := range firstURLs(cert.CRLDistributionPoints) {
		answers = append(answers, o.at(url, nil, cert, issuer, now)...)
		if settled(answers) {
			return answers
		}
	}
	return answers
}

func firstURLs(list []string) []string {
	var urls []string
	for _, u := range list {
		lower := strings.ToLower(u)
		if (strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://")) && len(urls) < maxURLs {
			urls = append(urls, u)
		}
	}
	return urls
}

// settled tells whether nothing more needs to be asked: there is a fresh answer.
func settled(answers []revocationAnswer) bool {
	for _, a := range answers {
		if a.why == "" && a.fresh {
			return true
		}
	}
	return false
}

// at is what one place says.
func (o *onlineRevocations) at(url string, request []byte, cert, issuer *x509.Certificate, now time.Time) []revocationAnswer {
	key := url + "\x00" + string(request)
	o.mu.Lock()
	defer o.mu.Unlock()
	got, asked := o.known[key]
	if !asked {
		if len(o.known) == maxFetched {
			return []revocationAnswer{{source: url, why: "too many places were asked already"}}
		}
		got = o.get(key, url, request)
		o.known[key] = got
	}
	if got == nil {
		return []revocationAnswer{{source: url, why: o.why[key]}}
	}
	return got.ask(cert, issuer, now)
}

func (o *onlineRevocations) get(key, url string, request []byte) *revocations {
	data, err := o.fetch(url, request)
	got := newRevocations()
	if err == nil {
		err = got.add(url, data)
	}
	if err != nil {
		o.why[key] = err.Error()
		return nil
	}
	return got
}
