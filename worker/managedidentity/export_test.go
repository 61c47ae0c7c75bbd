package managedidentity

import (
	"context"
	"errors"
	"net/http"
)

// Explain is what is said of an error of the library.
func Explain(c *Config, said string) string { return c.explain(context.Background(), errors.New(said)) }

// Edge is what the library's requests go through.
func Edge(c *Config, t http.RoundTripper) func(*http.Request) (*http.Response, error) {
	return newEdge(c, t).Do
}
