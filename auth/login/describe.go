package login

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
)

func write(f fmt.State, text string) { _, _ = io.WriteString(f, text) }

// String implements [fmt.Stringer]. It shows no value.
func (c Config) String() string {
	return fmt.Sprintf("Login with %d steps, and %d to renew", len(c.Steps), len(c.Renew))
}

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (c Config) Format(f fmt.State, _ rune) { write(f, c.String()) }

// LogValue implements [slog.LogValuer].
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String implements [fmt.Stringer]. It shows no value.
func (Step) String() string { return "Step" }

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (s Step) Format(f fmt.State, _ rune) { write(f, s.String()) }

// LogValue implements [slog.LogValuer].
func (s Step) LogValue() slog.Value { return slog.StringValue(s.String()) }

// String implements [fmt.Stringer]. It shows the name only.
func (p Field) String() string { return p.Name }

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (p Field) Format(f fmt.State, _ rune) { write(f, p.String()) }

// LogValue implements [slog.LogValuer].
func (p Field) LogValue() slog.Value { return slog.StringValue(p.String()) }

// String implements [fmt.Stringer]. It shows neither user nor password.
func (Basic) String() string { return "Basic" }

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (b Basic) Format(f fmt.State, _ rune) { write(f, b.String()) }

// LogValue implements [slog.LogValuer].
func (b Basic) LogValue() slog.Value { return slog.StringValue(b.String()) }

// String implements [fmt.Stringer]. It shows the name only.
func (p Part) String() string { return p.Name }

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (p Part) Format(f fmt.State, _ rune) { write(f, p.String()) }

// LogValue implements [slog.LogValuer].
func (p Part) LogValue() slog.Value { return slog.StringValue(p.String()) }

// String implements [fmt.Stringer]. It shows the status only.
func (a Answer) String() string { return "Answer of status " + strconv.Itoa(a.Status) }

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (a Answer) Format(f fmt.State, _ rune) { write(f, a.String()) }

// LogValue implements [slog.LogValuer].
func (a Answer) LogValue() slog.Value { return slog.StringValue(a.String()) }
