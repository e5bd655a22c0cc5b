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
	var text strings.Builder
	list := func(items ...string) {
		text.WriteString(strconv.Itoa(len(items)))
		for _, item := range items {
			text.WriteString(strconv.Quote(item))
		}
	}
	list(kind...)
	method := c.method()
	list(c.TokenURL, c.refreshURL(), c.ID, method.name, method.config, strings.Join(c.Scopes, c.separator()))
	list(c.Resources...)
	for _, p := range c.Params {
		list(p.Name, p.Value)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Header)) {
		list(name)
		list(c.Header[name]...)
	}
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:16])
}
