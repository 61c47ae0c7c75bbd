package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds lists and objects inside each other.
const maxDepth = 8

var (
	errNotJSON   = errors.New("is not JSON in UTF-8")
	errDuplicate = errors.New("holds a name twice")
	errDeep      = errors.New("is nested too deep")
	errNotObject = errors.New("is not an object")
)

// object reads one JSON object of which there is one reading only: no name
// stands in it twice, at any depth, and the case of names counts. Numbers are
// json.Number.
func object(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, errNotJSON
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := element(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotJSON
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, errNotObject
	}
	return fields, nil
}

// element reads the next value.
func element(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, errNotJSON
	}
	open, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth == maxDepth {
		return nil, errDeep
	}
	fields, list := map[string]any{}, []any{}
	for d.More() {
		name := ""
		if open == '{' {
			key, err := d.Token()
			if err != nil {
				return nil, errNotJSON
			}
			name, _ = key.(string) // json.Valid: it is one
			if _, twice := fields[name]; twice {
				return nil, errDuplicate
			}
		}
		v, err := element(d, depth+1)
		if err != nil {
			return nil, err
		}
		if open == '{' {
			fields[name] = v
		} else {
			list = append(list, v)
		}
	}
	if _, err := d.Token(); err != nil { // the end of it
		return nil, errNotJSON
	}
	if open == '{' {
		return fields, nil
	}
	return list, nil
}

// text is a string that is not empty.
func text(fields map[string]any, name string) (string, bool) {
	s, ok := fields[name].(string)
	return s, ok && s != ""
}

// listOf are the strings of a list; ok is false for anything else. A name that is
// not there is an empty list.
func listOf(fields map[string]any, name string) (list []string, ok bool) {
	v, there := fields[name]
	if !there {
		return nil, true
	}
	items, ok := v.([]any)
	if !ok {
		return nil, false
	}
	for _, item := range items {
		s, ok := item.(string)
		if !ok {
			return nil, false
		}
		list = append(list, s)
	}
	return list, true
}

// seconds is a time of a token, in whole seconds since 1970; ok is false for
// anything else.
func seconds(v any) (int64, bool) {
	const last = 253402300799 // the year 9999
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	if err != nil || f < 0 || f > last {
		return 0, false
	}
	return int64(math.Floor(f)), true
}
