package oauth2flow

import (
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/restconn/restconn/internal/redact"
)

// describe tells what a value is, without its secrets.
func describe(kind, id, target string) string {
	text := kind
	if id != "" {
		text += " " + strconv.Quote(id)
	}
	if u, err := url.Parse(target); err == nil && u.Host != "" {
		text += " at " + redact.URL(u)
	}
	return text
}

func write(f fmt.State, text string) { _, _ = io.WriteString(f, text) }

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (c Client) Format(f fmt.State, _ rune) { write(f, c.String()) }

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (o ResourceOwner) Format(f fmt.State, _ rune) { write(f, o.String()) }

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (x Exchange) Format(f fmt.State, _ rune) { write(f, x.String()) }

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (x Custom) Format(f fmt.State, _ rune) { write(f, x.String()) }

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (p Param) Format(f fmt.State, _ rune) { write(f, p.String()) }

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (a ClientAuth) Format(f fmt.State, _ rune) { write(f, a.String()) }

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (g *grant) Format(f fmt.State, _ rune) { write(f, g.String()) }
