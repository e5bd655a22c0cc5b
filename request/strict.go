package request

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/restconn/restconn/connection"
)

// StrictJSON is JSON by encoding/json that refuses an object with two members of the same name, or of names that differ
// in nothing but case: of those, encoding/json silently takes the last.
func StrictJSON() connection.Codec {
	return connection.Codec{Unmarshal: func(data []byte, v any) error {
		if !json.Valid(data) {
			return json.Unmarshal(data, v) // which says what is wrong, and where
		}
		if hasDuplicates(data) {
			return errDuplicate
		}
		return decodeJSON(data, v)
	}}
}

var errDuplicate = plainError("an object has two members of the same name")

// hasDuplicates reports whether an object in valid JSON has two members of the same name, in any case.
func hasDuplicates(data []byte) bool {
	var open scopes
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{':
			open.push(true)
		case '[':
			open.push(false)
		case '}', ']':
			open.pop()
		case ',':
			open.next()
		case '"':
			end := stringEnd(data, i)
			if open.repeats(data[i:end]) {
				return true
			}
			i = end - 1
		}
	}
	return false
}

// stringEnd returns where the string that begins at that place ends.
func stringEnd(data []byte, begin int) int {
	for i := begin + 1; ; i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// scope is an object, or an array, that has begun and not ended.
type scope struct {
	object bool
	named  bool // the name of the member has been read
	names  map[string]bool
}

// scopes are those that are open, the innermost last.
type scopes struct {
	open []scope
	name []byte // room for one
}

func (s *scopes) push(object bool) {
	if len(s.open) == cap(s.open) {
		s.open = append(s.open, scope{object: object})
		return
	}
	s.open = s.open[:len(s.open)+1]
	top := &s.open[len(s.open)-1]
	top.object, top.named = object, false
}

// pop leaves the innermost scope. The next one at that depth uses its map again, unless that would be long to clear.
func (s *scopes) pop() {
	const few = 64
	top := &s.open[len(s.open)-1]
	if len(top.names) > few {
		top.names = nil
	}
	clear(top.names)
	s.open = s.open[:len(s.open)-1]
}

// next begins the next member.
func (s *scopes) next() { s.open[len(s.open)-1].named = false }

// repeats reports whether a string is the name of a member, and one that its object has had.
func (s *scopes) repeats(quoted []byte) bool {
	if len(s.open) == 0 {
		return false
	}
	top := &s.open[len(s.open)-1]
	if !top.object || top.named {
		return false
	}
	top.named = true
	s.name = appendFolded(s.name[:0], quoted)
	if top.names[string(s.name)] {
		return true
	}
	if top.names == nil {
		top.names = make(map[string]bool)
	}
	top.names[string(s.name)] = true
	return false
}

// appendFolded appends what is in a string, with the case folded that encoding/json folds.
func appendFolded(to, quoted []byte) []byte {
	text := string(quoted[1 : len(quoted)-1])
	if strings.Contains(text, `\`) {
		_ = json.Unmarshal(quoted, &text)
	}
	for _, r := range text {
		to = utf8.AppendRune(to, fold(r))
	}
	return to
}

// fold returns the least of the runes that are r but for their case.
func fold(r rune) rune {
	for {
		next := unicode.SimpleFold(r)
		if next <= r {
			return next
		}
		r = next
	}
}
