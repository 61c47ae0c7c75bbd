// Package strictjson reads JSON documents that a gate relies on: one value, every
// key once and written as it is, none unknown and none left out, no null, nothing
// behind it.
// A document is taken only if it holds exactly what its value is written as again,
// so that no two readers of it could see different things.
//
// It does not know what a document is about: bounds on its values are its callers'
// part.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"
)

const (
	maxDepth = 32
	maxQuote = 60
)

// Decode reads one document of at most maxSize bytes into v, a pointer whose value
// json.Marshal writes again. An error names the place, such as "worker.labels".
func Decode(data []byte, maxSize int, v any) error {
	if err := Check(data, maxSize); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	again, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var given, written any
	if err := errors.Join(generic(data, &given), generic(again, &written)); err != nil {
		return err
	}
	return compare("", given, written)
}

// Check looks at the form only, for documents that another reader knows the fields
// of: at most maxSize bytes of UTF-8, one value, not too deep, no null, no key twice.
func Check(data []byte, maxSize int) error {
	switch {
	case len(data) > maxSize:
		return fmt.Errorf("%d bytes are too many, the limit is %d", len(data), maxSize)
	case !utf8.Valid(data):
		return errors.New("it is not valid UTF-8")
	}
	return checkKeys(data)
}

func generic(data []byte, v *any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(v)
}

// checkKeys refuses a key that stands in an object twice, too deep a document, and
// one that something follows.
func checkKeys(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	type level struct {
		seen map[string]bool // nil in a list
		key  bool            // the next token is a key
	}
	var stack []level
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		top := len(stack) - 1
		if text, ok := token.(string); ok && top >= 0 && stack[top].key {
			if stack[top].seen[text] {
				return fmt.Errorf("the key %q stands in an object twice", clip(text))
			}
			stack[top].seen[text] = true
			stack[top].key = false
			continue
		}
		switch token {
		case nil:
			return errors.New("it holds null, which says nothing")
		case json.Delim('{'):
			stack = append(stack, level{seen: map[string]bool{}, key: true})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:top]
		}
		if len(stack) > maxDepth {
			return fmt.Errorf("it is more than %d levels deep", maxDepth)
		}
		if len(stack) == 0 {
			break
		}
		if open := token == json.Delim('{'); !open && stack[len(stack)-1].seen != nil {
			stack[len(stack)-1].key = true
		}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the document")
	}
	return nil
}

// compare says where a document differs from what it is written as again.
func compare(at string, given, written any) error {
	switch w := written.(type) {
	case map[string]any:
		g, _ := given.(map[string]any) // of something else every key is missing
		for _, key := range slices.Sorted(maps.Keys(w)) {
			if _, ok := g[key]; !ok {
				return fmt.Errorf("%s is missing", join(at, key))
			}
			if err := compare(join(at, key), g[key], w[key]); err != nil {
				return err
			}
		}
		for _, key := range slices.Sorted(maps.Keys(g)) {
			if _, ok := w[key]; !ok {
				return fmt.Errorf("%s is no field, or must be left out where it says nothing", join(at, key))
			}
		}
	case []any:
		g, ok := given.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Errorf("%s is not the list that it is read as", at)
		}
		for i := range w {
			if err := compare(fmt.Sprintf("%s[%d]", at, i), g[i], w[i]); err != nil {
				return err
			}
		}
	default:
		if given != written {
			return fmt.Errorf("%s is not written as it is read", at)
		}
	}
	return nil
}

func join(at, key string) string {
	if at == "" {
		return clip(key)
	}
	return at + "." + clip(key)
}

func clip(s string) string {
	if len(s) <= maxQuote {
		return s
	}
	return s[:maxQuote] + "..."
}
