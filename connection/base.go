package connection

import (
	"context"
	"errors"
	"net/url"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/flight"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/wait"
)

// BaseParamsFunc tells the values of the placeholders in a base URL: see [WithBaseParams].
type BaseParamsFunc = func(ctx context.Context) (map[string]string, error)

// Resolve returns the connection as it is for calls with ctx: where the base URL has placeholders, they are filled in,
// so that its [Connection.BaseURL] is the one that such a call goes to, and its origin is the one that credentials go
// to. Without placeholders that is the connection itself.
//
// It is for packages that build requests, as package request does, for generated code that wants a base URL beside
// [Connection.HTTPClient], and for all that is to stay with one tenant. What it returns shares everything with the
// connection, and ends with it: it is not to be closed, and Close does nothing. Its calls do not ask for the values
// again, and send the credential of the time to the host of now: where a token may move, resolve again. If ctx has a
// subject (auth.WithSubject), a call for another one is a [*BaseError].
//
// Errors are [*BaseError], in which errors.AsType finds an [*OriginError] for a host that is not among
// [WithBaseHosts]; [ErrClosed]; and the cause of the context's end.
func (c *Connection) Resolve(ctx context.Context) (*Connection, error) {
	switch {
	case c.template == nil && c.subject == "":
		return c, nil
	case ctx == nil:
		return nil, errNoContext
	case c.template == nil:
		if err := c.mayServe(auth.Subject(ctx)); err != nil {
			return nil, err
		}
		return c, nil
	case c.closed():
		return nil, ErrClosed
	}
	values, err := c.baseValues(ctx)
	if err != nil {
		return nil, err
	}
	base, err := c.template.fill(values, c.config.baseHosts)
	if err != nil {
		return nil, err
	}
	return c.at(base, auth.Subject(ctx)), nil
}

// mayServe refuses a subject other than the one that the base URL was filled in for: its credential would go there.
func (c *Connection) mayServe(subject string) error {
	if subject == "" || subject == c.subject {
		return nil
	}
	return &BaseError{Err: errors.New("it was filled in for another subject: use what Resolve was called on")}
}

// askingKey marks the context of a function of WithBaseParams.
type askingKey struct{ c *Connection }

var errAsksItself = errors.New("the function of WithBaseParams asks the connection that waits for it: use another one")

var errNoContext = &OptionError{Option: "context", Err: errors.New("it is nil: use context.Background()")}

// baseValues asks for the values, for no longer than an attempt may take.
func (c *Connection) baseValues(ctx context.Context) (map[string]string, error) {
	if ctx.Value(askingKey{c}) != nil {
		return nil, &BaseError{Err: errAsksItself}
	}
	own := context.WithValue(ctx, askingKey{c}, true)
	if c.config.timeouts.Total < NoTimeout || c.config.timeouts.Attempt < NoTimeout {
		phase, limit := PhaseAttempt, c.config.timeouts.Attempt
		if total := c.config.timeouts.Total; total < limit {
			phase, limit = PhaseTotal, total
		}
		bounded, end := withLimit(own, phase, limit)
		defer end()
		own = bounded
	}
	values, err := flight.Catch(func() (map[string]string, error) { return c.config.baseParams(own) })
	switch {
	case err == nil:
		return values, nil
	case ctx.Err() != nil:
		return nil, wait.Ended(ctx)
	case own.Err() != nil:
		err = wait.Ended(own)
	}
	return nil, &BaseError{Err: redact.Error(err)}
}

// at returns the connection with a base URL that is filled in for a subject.
func (c *Connection) at(base *url.URL, subject string) *Connection {
	view := &Connection{
		base: base, roams: c.roams, config: c.config, auth: c.auth, pool: c.pool, pipeline: c.pipeline,
		attempts: c.attempts, from: c, subject: subject,
	}
	view.config.baseParams, view.config.baseHosts = nil, nil
	view.settle()
	return view
}

// checkBase finds a base URL and options that do not fit together.
func (c *Connection) checkBase() error {
	cfg, t := &c.config, c.template
	if t == nil {
		if cfg.baseParams != nil || len(cfg.baseHosts) > 0 {
			return &OptionError{Option: optionBase, Err: errors.New("it has no placeholder, such as {tenant}, which " +
				"WithBaseParams or WithBaseHosts could be for")}
		}
		return nil
	}
	var errs []error
	fault := func(wrong bool, option, text string) {
		if wrong {
			errs = append(errs, &OptionError{Option: option, Err: errors.New(text)})
		}
	}
	fault(cfg.baseParams == nil, optionBase, "there is a placeholder in it: WithBaseParams says what to fill in")
	fault(t.isOpen() && len(cfg.baseHosts) == 0, "WithBaseHosts",
		"it is missing: credentials would go to any host that a server names")
	fault(!t.roams() && len(cfg.baseHosts) > 0, "WithBaseHosts", "the host of the base URL is always the same")
	fault(t.roams() && cfg.pool.dialTo != "", "WithConnectTo",
		"the host of the base URL is told per call: there is none whose place another could take")
	fault(t.roams() && cfg.jar != nil, "WithCookieJar",
		"cookies of one tenant could go to another: give a jar to what Resolve returns, with With")
	return errors.Join(errs...)
}

// shown returns the base URL as it may be shown: without its query.
func (c *Connection) shown() string {
	if c.template != nil {
		return c.template.shown()
	}
	return redact.URL(c.base)
}
