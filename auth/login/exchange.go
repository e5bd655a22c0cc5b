package login

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/retrytime"
	"github.com/restconn/restconn/internal/tokencall"
)

// exchange is one run of a plan. It belongs to one goroutine.
type exchange struct {
	grant   *grant
	plan    plan
	values  values
	secret  []string // what errors may not show
	jar     jar
	replies []*reply
}

// exchange runs the plan. known is the token that the steps start from, nil if there is none.
func (g *grant) exchange(ctx context.Context, p plan, known *auth.Token) (*auth.Token, error) {
	x := &exchange{grant: g, plan: p, values: values{}}
	t, err := x.run(ctx, known)
	if err != nil {
		return nil, x.mask(err)
	}
	return t, nil
}

// run sends the steps, and makes a token of the answers.
func (x *exchange) run(ctx context.Context, known *auth.Token) (*auth.Token, error) {
	if known != nil {
		x.keep(nameToken, known.Value.Reveal())
		x.keep(nameRefresh, known.Refresh.Reveal())
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
	var prev *auth.Token
	if x.plan.renew {
		prev = known
	}
	return x.result(ctx, prev)
}

// keep notes a value that errors do not show.
func (x *exchange) keep(name, text string) {
	x.values[name] = text
	x.secret = append(x.secret, text)
}

// resolve gets the values that do not come from answers.
func (x *exchange) resolve(ctx context.Context) error {
	g := x.grant
	maps.Copy(x.values, g.config.Params)
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
		x.keep(name, v.Reveal())
	}
	if err := x.compute(ctx, hidden); err != nil {
		return err
	}
	return missing(x.unknown())
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
		x.values[name] = text
	}
	return nil
}

// unknown returns the names that have no value.
func (x *exchange) unknown() []string { return x.grant.without(x.plan, x.values) }

// send sends a step, and notes what its answer brings.
func (x *exchange) send(ctx context.Context, caller *tokencall.Caller, i int, s *step) error {
	failed := &Error{Step: i, Renew: x.plan.renew}
	ctx, cancel := context.WithTimeout(ctx, tokencall.Timeout)
	defer cancel()
	req, err := s.request(ctx, x.values)
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
	if failed.Err = x.conclude(s, r); failed.Err != nil {
		return failed
	}
	return nil
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
func (x *exchange) conclude(s *step, r *reply) error {
	env := view(x.replies)
	if s.ok != nil {
		if ok, isBool := s.ok.run(env).(bool); !ok || !isBool {
			return because(fmt.Errorf("%w (%w)", ErrRefused, auth.ErrClientRejected), r.fault)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.save)) {
		text, ok := textOf(s.save[name].run(env))
		if !ok {
			return because(fmt.Errorf("%q: %w", name, ErrValueNotFound), r.fault)
		}
		x.keep(name, text)
	}
	return nil
}

// because adds why the answer has no values.
func because(err, fault error) error {
	if fault == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, fault)
}

// mask hides the secrets of this exchange in the text of err.
func (x *exchange) mask(err error) error {
	text := err.Error()
	if shown := redact.NewScrubber(nil, "", "", x.secret).Text(text); shown != text {
		return &masked{text: shown, err: err}
	}
	return err
}
