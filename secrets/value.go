package secrets

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what a [Value] shows of itself wherever it is printed, logged or encoded.
const Redacted = "[REDACTED]"

// Value is a secret that never prints. Every formatter, encoder and logger sees [Redacted]; [Value.Reveal] is the
// only way out. The text lives in a closure, so that what walks unexported fields by reflection, as fmt does in a
// struct that holds a Value in one, finds the address of a function and no text.
//
// A Value is immutable and safe for concurrent use. It is also the [Provider] of itself. The zero Value holds "".
// Values cannot be compared with ==, nor with [reflect.DeepEqual]; use [Value.Equal], as go-cmp does.
//
// A Value can be encoded, as [Redacted], but not decoded: what is decoded was stored in the clear. Decode a
// reference, and give it to [Parse].
type Value struct {
	reveal func() string
}

// Static returns s as a Value, which is also the Provider that always answers with it.
func Static(s string) Value {
	return Value{reveal: func() string { return s }}
}

// Reveal returns the text. Call it where the bytes leave the process, and nowhere else.
func (v Value) Reveal() string {
	if v.reveal == nil {
		return ""
	}
	return v.reveal()
}

// Secret implements [Provider]. It never fails.
func (v Value) Secret(context.Context) (Value, error) { return v, nil }

// Equal reports whether both hold the same text, in a time that depends on the length alone.
func (v Value) Equal(w Value) bool {
	return subtle.ConstantTimeCompare([]byte(v.Reveal()), []byte(w.Reveal())) == 1
}

// Format implements [fmt.Formatter] for every verb, %#v and %x among them.
func (v Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Redacted) }

// String implements [fmt.Stringer].
func (v Value) String() string { return Redacted }

// GoString implements [fmt.GoStringer].
func (v Value) GoString() string { return Redacted }

// LogValue implements [slog.LogValuer].
func (v Value) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON, XML and YAML.
func (v Value) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// GobEncode implements [encoding/gob.GobEncoder].
func (v Value) GobEncode() ([]byte, error) { return []byte(Redacted), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. It always fails with [errors.ErrUnsupported]. A JSON null
// does not come here: package json takes it for an absent field.
func (v *Value) UnmarshalText([]byte) error { return errDecode() }

// GobDecode implements [encoding/gob.GobDecoder]. It always fails with [errors.ErrUnsupported].
func (v *Value) GobDecode([]byte) error { return errDecode() }

func errDecode() error {
	return &Error{Err: fmt.Errorf("decode a reference and parse it, not a Value: %w", errors.ErrUnsupported)}
}
