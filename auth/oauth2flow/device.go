package oauth2flow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/tokencall"
	"github.com/restconn/restconn/internal/wait"
	"github.com/restconn/restconn/secrets"
)

// DeviceCode is the device authorization grant (RFC 8628), for programs that cannot open a browser: the user opens a
// URL on another device and types a code. [DeviceCode.Begin] gets the code, and [DeviceCode.Wait] waits until the
// user has used it. As an auth.Grant it renews the token by its refresh token; without one that is good, it is
// [auth.ErrLoginRequired]. Its calls go the way that those of [AuthorizationCode] go. It is safe for concurrent use.
type DeviceCode struct {
	signIn

	url string
}

// NewDeviceCode returns the grant of that client at the device authorization endpoint (RFC 8628, section 3.1). What
// is wrong with it, Validate tells.
func NewDeviceCode(c Client, endpoint string) *DeviceCode {
	own := c.clone()
	fault := own.checkURL("device authorization endpoint", endpoint, true)
	return &DeviceCode{signIn: newSignIn(own, flow{
		kind: "device code", config: []string{endpoint}, faults: []error{fault},
	}), url: endpoint}
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
	owner    string       // whose token call it is for
	scopes   []string     // what was asked for
	interval atomic.Int64 // in nanoseconds
	waiting  atomic.Bool
}

// String tells until when the login lasts.
func (l *DeviceLogin) String() string {
	return "a device login until " + l.Expires.UTC().Format(time.RFC3339)
}

// Format writes String for every verb: the user code is for the user.
func (l *DeviceLogin) Format(f fmt.State, _ rune) { write(f, l.String()) }

// LogValue implements [slog.LogValuer].
func (l *DeviceLogin) LogValue() slog.Value { return slog.StringValue(l.String()) }

const (
	pollInterval     = 5 * time.Second // where the server says nothing, and what slow_down adds
	leastInterval    = time.Second
	mostInterval     = time.Minute
	lastPoll         = 2 * time.Second // before the end of a code that ends sooner than the server wants to be asked
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

// Begin asks the server for a code. The scopes of the [Client], and those of the options, are what the token will be
// for. [LoginParams] take the place of parameters of the Client of the same names. The server learns of a user by the
// code alone, and nobody goes anywhere afterwards: [LoginHint] and [LoginReturn] are errors.
func (d *DeviceCode) Begin(ctx context.Context, opts ...LoginOption) (*DeviceLogin, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	ask, err := newAsked(opts)
	if err == nil {
		err = ask.forDevice()
	}
	if err != nil {
		return nil, err
	}
	g := d.during(ask.allScopes(d.client))
	client := g.client
	req := client.newRequest(d.url)
	client.addScopes(req)
	if err := req.authenticate(ctx, client); err != nil {
		return nil, err
	}
	req.own = ask.params
	req.extend(client)
	a, o, err := client.send(ctx, g.caller, req, client.Encoding)
	if err != nil {
		return nil, err
	}
	login, err := deviceLogin(o, a.Received, client.Endpoint.AllowHTTP)
	if err != nil {
		return nil, unusable(a, req, err)
	}
	login.owner, login.scopes = d.traits.Config, client.Scopes
	return login, nil
}

// forDevice refuses what a device authorization request has no place for.
func (a *asked) forDevice() error {
	var faults []error
	if a.hint != "" {
		faults = append(faults, errors.New("LoginHint: a device authorization request has no place for it"))
	}
	if a.page != "" {
		faults = append(faults, errors.New("LoginReturn: no browser comes back from a device login"))
	}
	return joinFaults(faults...)
}

// deviceLogin reads the answer of the device authorization endpoint (RFC 8628, section 3.2).
func deviceLogin(o *object, now time.Time, allowHTTP bool) (*DeviceLogin, error) {
	code, err := tokenText(o, fieldDeviceCode)
	if err != nil {
		return nil, err
	}
	l := &DeviceLogin{code: secrets.Static(code)}
	l.interval.Store(int64(pollInterval))
	if l.UserCode, err = shownText(o, fieldUserCode); err != nil {
		return nil, err
	}
	if l.VerificationURI, err = shownURL(o, fieldVerifyURI, allowHTTP); err != nil {
		return nil, err
	}
	if !o.absent(fieldVerifyWhole) {
		if l.VerificationURIComplete, err = shownURL(o, fieldVerifyWhole, allowHTTP); err != nil {
			return nil, err
		}
	}
	lifetime, ok := seconds(o, "expires_in")
	if !ok || lifetime <= 0 {
		return nil, errors.New("expires_in is missing, or no positive number")
	}
	l.Expires = now.Add(min(lifetime, mostDeviceTime))
	if interval, ok := seconds(o, "interval"); ok {
		l.interval.Store(int64(min(max(interval, leastInterval), mostInterval)))
	}
	return l, nil
}

// shownText returns a text that a user is told, which may be on a terminal.
func shownText(o *object, name string) (string, error) {
	text, ok := o.text(name)
	if !ok || text == "" || len(text) > mostUserCode || redact.Printable(text) != text {
		return "", fmt.Errorf("%s is missing, too long, or has characters that cannot be printed", name)
	}
	return text, nil
}

// shownURL returns a URL that a user is to open.
func shownURL(o *object, name string, allowHTTP bool) (string, error) {
	text, ok := o.text(name)
	u, err := url.Parse(text)
	isShowable := redact.Printable(text) == text && !strings.Contains(text, " ") && len(text) <= mostValue
	if !ok || err != nil || checkBrowserURL(u, allowHTTP) != nil || !isShowable {
		return "", fmt.Errorf("%s is missing, or no https URL without user", name)
	}
	return text, nil
}

// seconds returns a number of seconds, of which more than a day are a day.
func seconds(o *object, name string) (time.Duration, bool) {
	const most = 24 * 60 * 60
	text, ok := o.scalar(name)
	n, err := strconv.ParseFloat(text, 64)
	if !ok || err != nil || math.IsNaN(n) {
		return 0, false
	}
	return time.Duration(min(n, most) * float64(time.Second)), true
}

// ErrDeviceWait says that a [DeviceLogin] is being waited for already, since each poll counts at the server, or that
// it is none of this grant.
var ErrDeviceWait = errors.New("this login is being waited for already, or is none of this grant")

// Wait asks the server, as often as it wants to be asked, until the user has logged in. A refusal is an [*Error] of
// the server, such as access_denied; that the code ends, or ctx, is the end of a context. A call that fails on the
// way is made again later, with twice the wait (RFC 8628, section 3.5), and takes 30 s at most. Where the code ends
// before the server wants to be asked for the first time, it is asked once, shortly before that.
func (d *DeviceCode) Wait(ctx context.Context, l *DeviceLogin) (*auth.Token, error) {
	switch {
	case d.Validate() != nil:
		return nil, d.Validate()
	case l == nil || l.owner != d.traits.Config || l.waiting.Swap(true):
		return nil, fmt.Errorf("oauth2flow: %w", ErrDeviceWait)
	}
	defer l.waiting.Store(false)
	until, cancel := context.WithDeadline(ctx, l.Expires)
	defer cancel()
	var last error
	for pause := l.firstPause(time.Now()); ; {
		if err := wait.For(until, pause); err != nil {
			return nil, fmt.Errorf("oauth2flow: nobody has logged in: %w", errors.Join(err, last))
		}
		t, err := d.poll(ctx, l)
		if err == nil {
			return t, nil
		}
		if isFinal(err) {
			return nil, err
		}
		if pause = l.slower(err); !isPending(err) {
			last = err
		}
	}
}

// firstPause returns how long to wait before the server is asked for the first time.
func (l *DeviceLogin) firstPause(now time.Time) time.Duration {
	left, interval := l.Expires.Sub(now), time.Duration(l.interval.Load())
	if interval < left {
		return interval
	}
	return left - min(lastPoll, left/2) //nolint:mnd // halfway, if there is less than that
}

// isFinal reports whether the server would say the same again, or nothing was sent at all.
func isFinal(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		_, unsent := errors.AsType[*secrets.Error](err)
		return unsent || isAnswer(err) || errors.Is(err, auth.ErrNoCredential)
	case refused.Status >= http.StatusInternalServerError:
		return false
	}
	switch refused.Code {
	case "", codePending, codeSlowDown, "temporarily_unavailable", "server_error":
		return false
	}
	return true
}

func isPending(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && (refused.Code == codePending || refused.Code == codeSlowDown)
}

// slower returns how long to wait after an answer that was no token.
func (l *DeviceLogin) slower(err error) time.Duration {
	interval := time.Duration(l.interval.Load())
	refused, ok := errors.AsType[*Error](err)
	switch {
	case ok && refused.Code == codePending:
	case ok && refused.Code == codeSlowDown:
		interval += pollInterval
	default:
		interval = max(interval, min(2*interval, mostInterval)) //nolint:mnd // twice
	}
	l.interval.Store(int64(interval))
	if ok {
		return max(interval, refused.RetryAfter)
	}
	return interval
}

func isAnswer(err error) bool {
	_, ok := errors.AsType[*AnswerError](err)
	return ok
}

// poll asks once.
func (d *DeviceCode) poll(ctx context.Context, l *DeviceLogin) (*auth.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, tokencall.Timeout)
	defer cancel()
	g := d.during(l.scopes)
	t, err := g.call(ctx, g.client.TokenURL, nil, func(req *tokenRequest) error {
		req.add(fieldGrantType, grantDeviceCode)
		req.add(fieldDeviceCode, l.code.Reveal())
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	d.noteScopes(t, l.scopes)
	return t, nil
}
