package auth

import (
	"fmt"
	"io"
)

// description is what a built-in shows of itself, whatever the verb. It holds no secret and no user name.
type description string

// String implements [fmt.Stringer].
func (d description) String() string { return string(d) }

// Format implements [fmt.Formatter], so that no verb reaches the fields beside the description.
func (d description) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, string(d)) }
