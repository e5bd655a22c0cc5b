package login

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// path is a way through what expressions see: a name first, and then names and indices. body.data[0].id is "body",
// "data", 0, "id".
type path []any

// pathOf returns the path that a node is; nil if it is none.
func pathOf(node ast.Node) path {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return path{n.Value}
	case *ast.ChainNode:
		return pathOf(n.Node)
	case *ast.MemberNode:
		before := pathOf(n.Node)
		if before == nil {
			return nil
		}
		switch key := n.Property.(type) {
		case *ast.StringNode:
			return append(before, key.Value)
		case *ast.IntegerNode:
			return append(before, key.Value)
		}
	}
	return nil
}

// inStep splits steps[i] off a path. Without it, i is -1.
func (p path) inStep() (i int, rest path) {
	if p[0] == "steps" && len(p) > 2 { //nolint:mnd // what follows steps[i]
		if i, ok := p[1].(int); ok {
			return i, p[2:]
		}
	}
	return -1, p
}

// header returns the name of the header field that the path leads to; "" if it leads elsewhere.
func (p path) header() string {
	_, rest := p.inStep()
	if len(rest) < 2 || rest[0] != "headers" {
		return ""
	}
	name, _ := rest[1].(string)
	return name
}

// end says where the path ends before it has led to a value; "" if it leads to one. Of the answer it shows nothing.
func (p path) end(env environment) string {
	i, rest := p.inStep()
	from, prefix := env.seen, ""
	switch {
	case i >= len(env.Steps):
		return fmt.Sprintf("there is no steps[%d]", i)
	case i >= 0:
		from, prefix = env.Steps[i], fmt.Sprintf("steps[%d].", i)
	}
	switch {
	case rest[0] == "body":
		text, _ := walk(prefix+"body", from.Body, rest[1:])
		if text != "" && from.fault != nil {
			return from.fault.Error()
		}
		return text
	case rest[0] == "token" && env.Token == nil:
		return "there is no token before"
	case len(rest) < 2: //nolint:mnd // a name and another
		return ""
	case rest[0] == "cookies" && from.Cookies[fmt.Sprint(rest[1])] == "":
		return fmt.Sprintf("the answer sets no cookie %v", rest[1])
	case rest[0] == "headers" && from.Headers[fmt.Sprint(rest[1])] == "":
		return fmt.Sprintf("the answer has no header %v", rest[1])
	}
	return ""
}

// walk follows keys from a value of that name, and says where they end, or returns what they lead to.
func walk(name string, value any, keys path) (end string, found any) {
	for _, key := range keys {
		child, ok := member(value, key)
		if !ok {
			return name + lacks(value, key), nil
		}
		name, value = name+asKey(key), child
	}
	if value == nil {
		return name + " is null", nil
	}
	return "", value
}

// member returns a member of an object, or an element of a list.
func member(value, key any) (any, bool) {
	switch v := value.(type) {
	case map[string]any:
		child, ok := v[fmt.Sprint(key)]
		return child, ok
	case list:
		if i, ok := key.(int); ok && i >= 0 && i < len(v) {
			return v[i], true
		}
	}
	return nil, false
}

// lacks says that a value does not have the key, and what it is instead.
func lacks(value, key any) string {
	has := " has no " + strings.TrimPrefix(asKey(key), ".")
	switch value.(type) {
	case nil:
		return " is null"
	case map[string]any:
		return has
	case list:
		if _, ok := key.(int); ok {
			return has
		}
	}
	return " is " + kindOfValue(value) + ", and" + has
}

var plainKey = regexp.MustCompile(`^[A-Za-z_]\w*$`)

// asKey writes a key as expressions do.
func asKey(key any) string {
	name, ok := key.(string)
	switch {
	case !ok:
		return fmt.Sprintf("[%v]", key)
	case plainKey.MatchString(name):
		return "." + name
	}
	return "['" + name + "']"
}

// kindOfValue says what a value is, and not which.
func kindOfValue(value any) string {
	switch v := value.(type) {
	case map[string]any:
		return "an object"
	case list:
		return "a list"
	case bool:
		return "true or false"
	case string:
		switch {
		case strings.TrimSpace(v) == "":
			return "an empty text"
		case len(v) > maxText:
			return fmt.Sprintf("a text of more than %d bytes", maxText)
		}
		return "a text"
	}
	return "a number"
}
