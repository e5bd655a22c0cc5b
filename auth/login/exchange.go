package login

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/origin"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/retrytime"
	"github.com/restconn/restconn/internal/tokencall"
)

// exchange is one run of a plan. It belongs to one goroutine.
type exchange struct {
	grant   *grant
	plan    plan
	values  values
	found   map[string]bool // the values that come from answers
	before  *auth.Token     // that the steps start from; nil if there is none
	secret  []string        // what errors may not show
	jar     jar
	replies []*reply
	brought string // a new refresh token that takes the place of the one before; empty if there is none
}

// exchange runs the plan. before is the token that the steps start from, nil if there is none. Beside an error there
// may be a token without a text, see [exchange.kept].
func (g *grant) exchange(ctx context.Context, p plan, before *auth.Token) (*auth.Token, error) {
	x := &exchange{grant: g, plan: p, values: values{}, found: map[string]bool{}, before: before}
	t, err := x.run(ctx)
	if err != nil {
		return x.kept(), x.mask(err)
	}
	return t, nil
}

// run sends the steps, and makes a token of the answers.
func (x *exchange) run(ctx context.Context) (*auth.Token, error) {
	if x.before != nil {
		x.know(x.before)
	}
	if err := x.resolve(ctx); err != nil {
		return nil, err
	}
	caller, err := x.grant.caller()
	if err != nil {
		return nil, &ConfigError{Field: "Endpoint", Err: err}
	}
	for i, s := range x.plan.steps {
		if err := x.send(ctx, caller, i, s); err != nil {
			return nil, err
		}
	}
	return x.result(ctx)
}

// know notes what the plan needs of a token.
func (x *exchange) know(t *auth.Token) {
	for name, value := range t.Extra {
		x.values[name], x.found[name] = value.Reveal(), true
		if x.plan.uses(name) {
			x.secret = append(x.secret, value.Reveal())
		}
	}
	x.learn(nameToken, t.Value.Reveal())
	x.learn(nameRefresh, t.Refresh.Reveal())
}

// learn notes a value of an answer, of this exchange or one before. Errors do not show it.
func (x *exchange) learn(name, text string) {
	x.values[name], x.found[name] = text, true
	x.secret = append(x.secret, text)
}

// set notes a value of the configuration, which wins over one that was learned.
func (x *exchange) set(name, text string) {
	x.values[name] = text
	delete(x.found, name)
}

// resolve gets the values that do not come from answers.
func (x *exchange) resolve(ctx context.Context) error {
	g := x.grant
	for name, text := range g.config.Params {
		x.set(name, text)
	}
	hidden := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(g.config.Secrets)) {
		if !x.plan.uses(name) && g.config.Compute == nil {
			continue
		}
		v, err := g.config.Secrets[name].Secret(ctx)
		if err != nil {
			return fmt.Errorf("login: secret %q: %w", name, err)
		}
		if v.Reveal() == "" {
			return fmt.Errorf("login: secret %q: %w", name, auth.ErrNoCredential)
		}
		hidden[name] = v.Reveal()
		x.set(name, v.Reveal())
		x.secret = append(x.secret, v.Reveal())
	}
	if err := x.compute(ctx, hidden); err != nil {
		return err
	}
	var e MissingError
	g.addMissing(&e, x.plan, x.values)
	return e.orNil()
}

// compute asks for further values.
func (x *exchange) compute(ctx context.Context, hidden map[string]string) error {
	cfg := &x.grant.config
	if cfg.Compute == nil {
		return nil
	}
	given := make(map[string]string, len(cfg.Params)+len(hidden))
	maps.Copy(given, cfg.Params)
	maps.Copy(given, hidden)
	computed, err := cfg.Compute(ctx, given)
	if err != nil {
		return fmt.Errorf("login: Compute: %w", err)
	}
	for name, text := range computed {
		x.secret = append(x.secret, text)
		if _, isSecret := cfg.Secrets[name]; isSecret {
			continue
		}
		if name == nameToken || name == nameRefresh {
			return fmt.Errorf("login: Compute: %q: %w", name, errReserved)
		}
		x.set(name, text)
	}
	return nil
}

// send sends a step, and notes what its answer brings.
func (x *exchange) send(ctx context.Context, caller *tokencall.Caller, i int, s *step) error {
	failed := &Error{Step: i, Renew: x.plan.renew}
	req, err := s.request(ctx, x.values)
	if err == nil {
		err = x.checkFound(s, req.URL)
	}
	if err != nil {
		failed.Err = err
		return failed
	}
	x.jar.write(req)
	a, err := caller.Do(req.WithContext(redact.WithPath(ctx, s.masked(req.URL, x.values, x.secret))))
	if a != nil {
		failed.Status = a.Status
		failed.RetryAfter, _ = retrytime.After(a.Header, a.Received)
	}
	if failed.Err = outcome(s, a, err); failed.Err != nil || !s.succeeded(a.Status) {
		return failed
	}
	r := read(a)
	x.replies = append(x.replies, r)
	x.jar.read(a.URL, r.cookies, a.Received)
	if failed.Err = x.conclude(s); failed.Err != nil {
		return failed
	}
	return nil
}

// checkFound refuses plain http to where an answer leads: it would show to everybody what is sent there, and services
// on this machine often trust whoever reaches them. Endpoint's AllowHTTP speaks for this machine, and for a URL whose
// http:// the configuration has written. Errors do not show the host that the answer names.
func (x *exchange) checkFound(s *step, u *url.URL) error {
	where, t := "URL", s.url
	if len(t) == 0 {
		where, t = "BaseURL", s.base
	}
	names := t.hostNames()
	i := slices.IndexFunc(names, func(name string) bool { return x.found[name] })
	if i < 0 {
		return nil
	}
	whole := t[0].name != ""
	if whole {
		x.secret = append(x.secret, u.Hostname())
	}
	o, err := origin.Of(u)
	if err != nil || o.Secure() {
		return err
	}
	if x.grant.config.Endpoint.AllowHTTP && (o.Loopback() || !whole) {
		return nil
	}
	return inField(where, inName(names[i], errFoundHTTP))
}

// outcome returns why the call has failed, beside its status. A redirect that stands for success is none.
func outcome(s *step, a *tokencall.Answer, err error) error {
	switch {
	case a == nil:
		return err
	case errors.Is(err, tokencall.ErrRedirect) && !s.succeeded(a.Status):
		return err
	case !s.succeeded(a.Status):
		return ofStatus(a.Status)
	case errors.Is(err, tokencall.ErrRedirect):
		return nil
	default:
		return err
	}
}

// ofStatus is what a status says.
func ofStatus(status int) error {
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return auth.ErrClientRejected
	}
	return nil
}

// conclude checks an answer, and saves its values.
func (x *exchange) conclude(s *step) error {
	env := x.env()
	if s.ok != nil {
		if ok, isBool := s.ok.run(env).(bool); !ok || !isBool {
			return fmt.Errorf("%w (%w): %w", ErrRefused, auth.ErrClientRejected, s.ok.missed("Ok", env))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.save)) {
		text, ok := textOf(s.save[name].run(env))
		if !ok {
			return fmt.Errorf("%w: %w", ErrValueNotFound, s.save[name].missed(fmt.Sprintf("Save[%q]", name), env))
		}
		x.learn(name, text)
	}
	return nil
}

// env returns what an expression sees now.
func (x *exchange) env() environment {
	var env environment
	for _, r := range x.replies {
		env.Steps = append(env.Steps, r.seen)
		env.seen = r.seen
	}
	if text := x.values[nameToken]; text != "" {
		env.Token = text
	}
	return env
}

// mask hides the secrets of this exchange in the text of err. What is masked in an [*Error] is its cause, so that
// errors.As finds no other one in it.
func (x *exchange) mask(err error) error {
	if e, ok := err.(*Error); ok && e.Err != nil { //nolint:errorlint // the outermost one
		own := *e
		own.Err = x.mask(e.Err)
		return &own
	}
	text := err.Error()
	if shown := redact.NewScrubber(nil, "", "", x.secret).Echo(text); shown != text {
		return &masked{text: shown, err: err}
	}
	return err
}
