package secrets

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Env returns the Provider that reads the environment variable of that name at every call. It never blocks.
//
// One newline at the end ("\n" or "\r\n") is taken off, and all else is kept as it is. An unset variable is
// [ErrNotFound]; one that is empty or holds white space only is [ErrEmpty]. A name that is empty or holds '=' or a
// character that does not print is [ErrInvalid].
func Env(name string) Provider { return env(name) }

type env string

// Secret implements [Provider].
func (e env) Secret(context.Context) (Value, error) {
	if err := e.Validate(); err != nil {
		return Value{}, err
	}
	text, ok := os.LookupEnv(string(e))
	if !ok {
		return Value{}, &Error{Ref: e.String(), Err: fmt.Errorf("%w: set the environment variable", ErrNotFound)}
	}
	return clean(e.String(), text)
}

// Validate implements [Validator].
func (e env) Validate() error {
	switch {
	case e == "":
		return &Error{Ref: e.String(), Err: invalid("the name of the variable is empty")}
	case !e.valid():
		return &Error{Ref: e.String(), Err: invalid("the name of a variable has no '=' or control character")}
	}
	return nil
}

func (e env) valid() bool {
	return e != "" && printable(string(e)) && !strings.Contains(string(e), "=")
}

// String returns the reference. A name that cannot be one is left out: NAME=value, pasted whole, holds the secret.
func (e env) String() string {
	if !e.valid() {
		return "env"
	}
	return "env:" + string(e)
}

// clean returns text as a Value, less one newline at its end.
func clean(ref, text string) (Value, error) {
	if strings.TrimSpace(text) == "" {
		return Value{}, &Error{Ref: ref, Err: ErrEmpty}
	}
	if line, ok := strings.CutSuffix(text, "\n"); ok {
		text = strings.TrimSuffix(line, "\r")
	}
	return Static(text), nil
}

// printable reports whether s can be shown as it is: in one line, without control characters.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) })
}
