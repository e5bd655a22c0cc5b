package digest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/icholy/digest"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/challenge"
	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/internal/origin"
	"github.com/restconn/restconn/secrets"
)

const (
	// RejectionPause is how long a password that was rejected is not sent to that realm, unless its text changes.
	RejectionPause = 15 * time.Minute

	// maxCredential is the most bytes of a user name and of a password.
	maxCredential = 64 << 10
	maxUser       = 1 << 10
)

// ErrUnsupported says that a server asks for Digest in ways that are not supported, or not allowed here.
var ErrUnsupported = errors.New("none of the server's challenges can be answered")

var errNilPassword = fmt.Errorf("%w: the password is nil", auth.ErrNoCredential)

// Option changes what [New] answers.
type Option interface {
	fmt.Stringer
	apply(*authenticator)
}

// AllowMD5 answers MD5 and MD5-sess as well, where a server offers nothing better, and challenges that name no
// algorithm, which stands for MD5. MD5 is broken: use it over https only, for servers that know nothing else.
func AllowMD5() Option { return allowMD5{} }

type allowMD5 struct{}

func (allowMD5) String() string         { return "AllowMD5()" }
func (allowMD5) apply(a *authenticator) { a.md5 = true }

// New returns an Authenticator for HTTP Digest (RFC 7616), which is an [auth.Challenger] too: the package's
// documentation says when it sends what. An Authorization header of the caller wins.
//
// The user name is not empty and has no control characters; it is sent as it is, as username* where it is not ASCII, or
// as a hash where the server asks for that. The password may be any text, the empty one included. Both have at most
// 1 KiB and 64 KiB. The provider is asked for each answer.
//
// It is safe for concurrent use, and may serve several connections: what is remembered is kept by origin, for up to 64
// of them, and 8 realms each. Errors are [*auth.Error] with scheme "digest".
func New(user string, password secrets.Provider, opts ...Option) auth.Authenticator {
	a := &authenticator{user: secrets.Static(user), password: password, memory: newMemory()}
	for _, opt := range opts {
		if opt == nil {
			a.faults = append(a.faults, errors.New("an option is nil"))
			continue
		}
		opt.apply(a)
	}
	if err := checkUser(user); err != nil {
		a.faults = append(a.faults, err)
	}
	return a
}

type authenticator struct {
	user     secrets.Value
	password secrets.Provider
	md5      bool
	faults   []error
	memory   *memory
}

func checkUser(user string) error {
	switch {
	case user == "":
		return fmt.Errorf("%w: the user is empty", auth.ErrNoCredential)
	case len(user) > maxUser:
		return fmt.Errorf("%w: the user is longer than 1 KiB", auth.ErrMalformed)
	case field.HasControl(user):
		return fmt.Errorf("%w: the user holds a control character", auth.ErrMalformed)
	}
	return nil
}

// Validate implements [auth.Validator].
func (a *authenticator) Validate() error {
	faults := slices.Clone(a.faults)
	if a.password == nil {
		faults = append(faults, errNilPassword)
	} else {
		faults = append(faults, secrets.Validate(a.password))
	}
	return fail(errors.Join(faults...))
}

// Authenticate implements [auth.Authenticator].
func (a *authenticator) Authenticate(req *http.Request) error {
	return fail(a.authenticate(req))
}

func (a *authenticator) authenticate(req *http.Request) error {
	if err := errors.Join(a.faults...); err != nil {
		return err
	}
	o, err := originOf(req)
	if err != nil || authorization(req) != "" || !a.memory.knows(o, req.URL) {
		return err
	}
	password, err := a.secret(req.Context())
	if err != nil {
		return err
	}
	u, ok := a.memory.next(o, req.URL, password)
	if !ok {
		return nil
	}
	u.method = method(req)
	response, err := u.response(a.user.Reveal(), password)
	if err != nil {
		return err
	}
	if req.Header == nil {
		req.Header = make(http.Header, 1)
	}
	req.Header["Authorization"] = []string{u.header(a.user.Reveal(), response)}
	return nil
}

// Challenged implements [auth.Challenger].
func (a *authenticator) Challenged(req *http.Request, resp *http.Response) (resend bool, err error) {
	resend, err = a.challenged(req, resp)
	return resend, fail(err)
}

func (a *authenticator) challenged(req *http.Request, resp *http.Response) (resend bool, err error) {
	if resp.StatusCode != http.StatusUnauthorized || len(a.faults) > 0 {
		return false, nil
	}
	sent, answered := a.sent(req)
	if !answered && authorization(req) != "" {
		return false, nil // what was rejected is somebody else's
	}
	found := challenges(resp.Header)
	if len(found) == 0 && !answered {
		return false, nil
	}
	o, err := originOf(req)
	if err != nil {
		return false, err
	}
	password, err := a.secret(req.Context())
	if err != nil {
		return false, err
	}
	if len(found) == 0 {
		return false, a.judge(o, sent, password)
	}
	c, why := fitting(found, a.md5)
	if why != nil {
		return false, fmt.Errorf("%w: it offers %s", ErrUnsupported, strings.Join(why, "; "))
	}
	a.memory.learn(o, c, req.URL)
	if answered && !c.Stale && sent.use.challenge.Realm == c.Realm {
		err = a.judge(o, sent, password)
	}
	return !a.memory.blocks(o, c.Realm, password), err
}

// judge notes that the password was rejected, unless it has been replaced since the answer was sent.
func (a *authenticator) judge(o origin.Origin, sent answer, password string) error {
	response, err := sent.use.response(a.user.Reveal(), password)
	if err == nil && response == sent.response {
		a.memory.reject(o, sent.use.challenge.Realm, password)
	}
	return err
}

// answer is what a request was sent with.
type answer struct {
	use      use
	response string
}

// sent returns the answer on the request, if it is one of ours.
func (a *authenticator) sent(req *http.Request) (answer, bool) {
	credentials := challenge.ParseWhole([]string{authorization(req)})
	if len(credentials) != 1 || credentials[0].Scheme != "Digest" {
		return answer{}, false
	}
	params, ok := paramsOf(credentials[0])
	if !ok || !strings.HasPrefix(params["cnonce"], a.memory.tag) {
		return answer{}, false
	}
	count, err := strconv.ParseInt(params["nc"], 16, 64)
	if err != nil {
		return answer{}, false
	}
	u := use{method: method(req), uri: params["uri"], count: int(count), cnonce: params["cnonce"]}
	u.challenge = digest.Challenge{Realm: params["realm"], Nonce: params["nonce"], Algorithm: params["algorithm"]}
	return answer{use: u, response: params["response"]}, true
}

func (a *authenticator) secret(ctx context.Context) (string, error) {
	if a.password == nil {
		return "", errNilPassword
	}
	v, err := a.password.Secret(ctx)
	if err != nil {
		return "", err
	}
	if len(v.Reveal()) > maxCredential {
		return "", fmt.Errorf("%w: the password is longer than 64 KiB", auth.ErrMalformed)
	}
	return v.Reveal(), nil
}

// String implements [fmt.Stringer].
func (*authenticator) String() string { return "Digest" }

// Format implements [fmt.Formatter], so that no verb reaches what is remembered.
func (a *authenticator) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, a.String()) }

// authorization returns the Authorization header of the request, whatever the case of its name.
func authorization(req *http.Request) string {
	if _, values := field.Values(req.Header, "Authorization"); len(values) > 0 {
		return values[0]
	}
	return ""
}

func originOf(req *http.Request) (origin.Origin, error) {
	if req.URL == nil {
		return origin.Origin{}, errors.New("the request has no URL")
	}
	return origin.Of(req.URL)
}

func method(req *http.Request) string {
	if req.Method == "" {
		return http.MethodGet
	}
	return req.Method
}

// fail makes an [*auth.Error] of err, unless it is or wraps one already.
func fail(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*auth.Error](err); ok {
		return err
	}
	return &auth.Error{Scheme: "digest", Err: err}
}
