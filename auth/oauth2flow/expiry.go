package oauth2flow

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/restconn/restconn/internal/expiry"
	"github.com/restconn/restconn/internal/tokencall"
)

// expiry returns when the token of an answer ends; the zero time if nobody says. A member that cannot be read is as
// good as none, unless it is one that the configuration names.
func (c *Client) expiry(a *tokencall.Answer, o *object, token string) (time.Time, error) {
	skew := expiry.Skew(a.Header, a.Received)
	if c.ExpiryField != "" && !o.absent(c.ExpiryField) {
		text, ok := o.scalar(c.ExpiryField)
		end, err := expiry.Parse(text, expiry.Auto, a.Received, skew)
		if !ok || err != nil {
			return time.Time{}, fmt.Errorf("the member that ExpiryField names: %w", expiry.ErrUnreadable)
		}
		return end, nil
	}
	for _, name := range []string{"expires_in", "expires_on", "expires_at"} {
		text, _ := o.scalar(name)
		if end, err := expiry.Parse(text, expiry.Auto, a.Received, skew); err == nil && !end.IsZero() {
			return end, nil
		}
	}
	return hint(token, a.Received, skew), nil
}

// hint returns the exp of a token that is a JWT (RFC 7519, section 4.1.4), if it is in the future. Nobody has checked
// the signature: it is only an advice on when to renew.
func hint(token string, received time.Time, skew time.Duration) time.Time {
	_, rest, _ := strings.Cut(token, ".")
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok || strings.Contains(signature, ".") {
		return time.Time{}
	}
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return time.Time{}
	}
	claims, err := parseObject(text)
	if err != nil {
		return time.Time{}
	}
	exp, _ := claims.scalar("exp")
	end, err := expiry.Parse(exp, expiry.EpochSeconds, received, skew)
	if err != nil || !end.After(received) {
		return time.Time{}
	}
	return end
}
