package oidc

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/restconn/restconn/internal/strictjson"
)

// members are the members of a JSON object, under their exact names.
type members map[string]json.RawMessage

// parseMembers reads one JSON object and nothing behind it.
func parseMembers(text []byte) (members, error) {
	if !utf8.Valid(text) {
		return nil, strictjson.ErrNotObject
	}
	_, m, err := strictjson.Object(text)
	return m, err
}

// has reports whether there is a member, other than null.
func (m members) has(name string) bool {
	raw := string(m[name])
	return raw != "" && raw != "null"
}

// text returns a member that is a string; "" if there is none.
func (m members) text(name string) (string, error) {
	if !m.has(name) {
		return "", nil
	}
	var s string
	if json.Unmarshal(m[name], &s) != nil {
		return "", fmt.Errorf("%s is not a text", name)
	}
	return s, nil
}

// texts returns a member that is a string or an array of strings; nil if there is none.
func (m members) texts(name string) ([]string, error) {
	if !m.has(name) {
		return nil, nil
	}
	if m[name][0] == '"' {
		s, err := m.text(name)
		return []string{s}, err
	}
	var all []*string
	if json.Unmarshal(m[name], &all) != nil {
		return nil, fmt.Errorf("%s is neither a text nor an array of texts", name)
	}
	texts := make([]string, 0, len(all))
	for _, s := range all {
		if s == nil {
			return nil, fmt.Errorf("%s is neither a text nor an array of texts", name)
		}
		texts = append(texts, *s)
	}
	return texts, nil
}

// time returns a member that is a NumericDate (RFC 7519, section 2), in whole seconds. There has to be one.
func (m members) time(name string) (time.Time, error) {
	const most = 253402300799 // the year 9999
	if !m.has(name) {
		return time.Time{}, fmt.Errorf("%s is missing", name)
	}
	seconds, err := strconv.ParseFloat(string(m[name]), 64)
	if err != nil || seconds < 0 || seconds > most {
		return time.Time{}, fmt.Errorf("%s is not a number of seconds since 1970", name)
	}
	return time.Unix(int64(seconds), 0), nil
}
