package oauth2flow

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/internal/wait"
	"github.com/restconn/restconn/secrets"
)

// DeviceCode is the device authorization grant (RFC 8628), for programs that cannot open a browser: the user opens a
// URL on another device and types a code. [DeviceCode.Begin] gets the code, and [DeviceCode.Wait] waits until the
// user has used it. As an auth.Grant it renews the token by its refresh token; without one that is good, it is
// [auth.ErrLoginRequired]. It is safe for concurrent use.
type DeviceCode struct {
	*grant

	url string
}

// NewDeviceCode returns the grant of that client at the device authorization endpoint (RFC 8628, section 3.1). What
// is wrong with it, Validate tells.
func NewDeviceCode(c Client, endpoint string) *DeviceCode {
	f := flow{
		kind: "device code", renewal: renewOnly, config: []string{endpoint},
		traits: auth.Traits{OneTime: true, Interactive: true},
	}
	g := &grant{flow: f, client: c.clone()}
	g.faults = append(g.faults, g.client.checkURL("device authorization endpoint", endpoint, true))
	g.fault = g.validate()
	g.traits.Config = g.client.config(append([]string{f.kind}, f.config...))
	return &DeviceCode{grant: g, url: endpoint}
}

// DeviceLogin is what the user has to be told.
type DeviceLogin struct {
	// UserCode is what the user types at VerificationURI.
	UserCode, VerificationURI string
	// VerificationURIComplete has the code in it, as for a QR code; "" if the server has none.
	VerificationURIComplete string
	// Expires is when the code ends.
	Expires time.Time

	code     secrets.Value
	interval time.Duration
	waiting  atomic.Bool
}

const (
	pollInterval     = 5 * time.Second // where the server says nothing, and what slow_down adds
	leastInterval    = time.Second
	mostInterval     = time.Minute
	mostDeviceTime   = time.Hour
	mostUserCode     = 256
	grantDeviceCode  = "urn:ietf:params:oauth:grant-type:device_code"
	codePending      = "authorization_pending"
	codeSlowDown     = "slow_down"
	fieldDeviceCode  = "device_code"
	fieldUserCode    = "user_code"
	fieldVerifyURI   = "verification_uri"
	fieldVerifyWhole = "verification_uri_complete"
)

// Begin asks the server for a code. The scopes of the [Client] are what the token will be for.
func (d *DeviceCode) Begin(ctx context.Context) (*DeviceLogin, error) {
	if d.fault != nil {
		return nil, d.fault
	}
	req := d.client.newRequest(d.url)
	d.client.addScopes(req)
	if err := req.authenticate(ctx, d.client); err != nil {
		return nil, err
	}
	req.extend(d.client)
	a, o, err := d.client.send(ctx, d.caller, req, d.client.Encoding)
	if err != nil {
		return nil, err
	}
	login, err := deviceLogin(o, a.Received)
	if err != nil {
		return nil, unusable(a, req, err)
	}
	return login, nil
}

// deviceLogin reads the answer of the device authorization endpoint (RFC 8628, section 3.2).
func deviceLogin(o *object, now time.Time) (*DeviceLogin, error) {
	code, err := tokenText(o, fieldDeviceCode)
	if err != nil {
		return nil, err
	}
	l := &DeviceLogin{code: secrets.Static(code), interval: pollInterval}
	if l.UserCode, err = shownText(o, fieldUserCode); err != nil {
		return nil, err
	}
	if l.VerificationURI, err = shownURL(o, fieldVerifyURI); err != nil {
		return nil, err
	}
	if !o.absent(fieldVerifyWhole) {
		if l.VerificationURIComplete, err = shownURL(o, fieldVerifyWhole); err != nil {
			return nil, err
		}
	}
	lifetime, ok := seconds(o, "expires_in")
	if !ok || lifetime <= 0 {
		return nil, errors.New("expires_in is missing, or no positive number")
	}
	l.Expires = now.Add(min(lifetime, mostDeviceTime))
	if interval, ok := seconds(o, "interval"); ok {
		l.interval = min(max(interval, leastInterval), mostInterval)
	}
	return l, nil
}

// shownText returns a text that a user is told.
func shownText(o *object, name string) (string, error) {
	text, ok := o.text(name)
	if !ok || text == "" || len(text) > mostUserCode || field.HasControl(text) {
		return "", fmt.Errorf("%s is missing, too long, or has control characters", name)
	}
	return text, nil
}

// shownURL returns a URL that a user is to open.
func shownURL(o *object, name string) (string, error) {
	text, ok := o.text(name)
	u, err := url.Parse(text)
	if !ok || err != nil || !isSecureURL(u) || len(text) > mostValue || field.HasControl(text) {
		return "", fmt.Errorf("%s is missing, or no https URL", name)
	}
	return text, nil
}

// seconds returns a number of seconds.
func seconds(o *object, name string) (time.Duration, bool) {
	text, ok := o.scalar(name)
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(text + "s")
	return d, err == nil
}

// ErrDeviceWait says that a [DeviceLogin] is being waited for already: each poll counts at the server.
var ErrDeviceWait = errors.New("oauth2flow: this login is being waited for already")

// Wait asks the server, as often as it wants to be asked, until the user has logged in. A refusal is an [*Error] of
// the server, such as access_denied; that the code ends, or ctx, is the end of a context. A call that fails on the
// way is made again later, with twice the wait (RFC 8628, section 3.5).
func (d *DeviceCode) Wait(ctx context.Context, l *DeviceLogin) (*auth.Token, error) {
	switch {
	case d.fault != nil:
		return nil, d.fault
	case l == nil || l.waiting.Swap(true):
		return nil, ErrDeviceWait
	}
	defer l.waiting.Store(false)
	ctx, cancel := context.WithDeadline(ctx, l.Expires)
	defer cancel()
	for {
		if err := wait.For(ctx, l.interval); err != nil {
			return nil, fmt.Errorf("oauth2flow: nobody has logged in: %w", err)
		}
		t, err := d.poll(ctx, l)
		if err == nil {
			return t, nil
		}
		refused, ok := errors.AsType[*Error](err)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("oauth2flow: nobody has logged in: %w", wait.Ended(ctx))
		case ok && refused.Code == codePending:
		case ok && refused.Code == codeSlowDown:
			l.interval += pollInterval
		case ok && refused.Status < 500, isAnswer(err): //nolint:mnd // what would be said again
			return nil, err
		default:
			l.interval = min(2*l.interval, mostInterval) //nolint:mnd // twice
		}
	}
}

func isAnswer(err error) bool {
	_, ok := errors.AsType[*AnswerError](err)
	return ok
}

// poll asks once.
func (d *DeviceCode) poll(ctx context.Context, l *DeviceLogin) (*auth.Token, error) {
	return d.call(ctx, d.client.TokenURL, nil, func(req *tokenRequest) error {
		req.add(fieldGrantType, grantDeviceCode)
		req.add(fieldDeviceCode, l.code.Reveal())
		return nil
	}, nil)
}

// Revoke implements [auth.Revoker]. Without a [Client].RevocationURL there is nothing to revoke at.
func (d *DeviceCode) Revoke(ctx context.Context, t *auth.Token) error {
	if d.client.RevocationURL == "" {
		return nil
	}
	return revocable{d.grant}.Revoke(ctx, t)
}
