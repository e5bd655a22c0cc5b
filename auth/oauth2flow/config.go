package oauth2flow

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// config returns a hash of what tells the tokens of one configuration from those of another. Secrets are not in it,
// so that they can be changed without a new login, but for those that stand in Params and Header. Of a provider there
// is what tells it from others, see [reference]: nothing of a [secrets.Value].
func (c *Client) config(kind []string) string {
	var text configText
	text.list(kind...)
	method := c.method()
	text.list(c.TokenURL, c.refreshURL(), c.ID, method.name, method.config, strings.Join(c.Scopes, c.separator()))
	text.list(c.Resources...)
	for _, p := range c.Params {
		text.list(p.Name, p.Value)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Header)) {
		text.list(name)
		text.list(c.Header[name]...)
	}
	return text.hash()
}

// loginConfig is config for the tokens of logins. A new login takes a user, so that there is only what makes a token
// another thing: whose it is, who has issued it, and what it is for.
func (c *Client) loginConfig(kind []string) string {
	var text configText
	text.list(kind...)
	text.list(c.TokenURL, c.ID)
	text.list(c.Resources...)
	return text.hash()
}

// configText is what a hash is made of. No two sequences of lists make the same text.
type configText struct{ text strings.Builder }

func (t *configText) list(items ...string) {
	t.text.WriteString(strconv.Itoa(len(items)))
	for _, item := range items {
		t.text.WriteString(strconv.Quote(item))
	}
}

func (t *configText) hash() string {
	sum := sha256.Sum256([]byte(t.text.String()))
	return hex.EncodeToString(sum[:16])
}
