// Package authtest tests implementations of the interfaces of package auth, the built-in ones and everybody's own.
package authtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
)

// Config describes the Authenticator to test.
type Config struct {
	// New returns a new Authenticator that works: it is valid, bound if it has to be, and Authenticate succeeds. It
	// is called for each check. Required.
	New func() auth.Authenticator

	// Secrets are the texts that may appear nowhere but on the request: keys, tokens, passwords, secret user names.
	// They are looked for as they are, percent-encoded, in base64 and in hexadecimal. Each has at least 8 bytes, so
	// that none is found by accident. Required, unless [auth.IsNone].
	Secrets []string

	// Failing returns an Authenticator whose Authenticate fails, such as one whose secrets.Provider answers with an
	// error, or with a text that cannot be sent. The errors are checked for Secrets. Optional, and may hold several.
	Failing []func() auth.Authenticator

	// Patience is how long an Authenticate may take once its context is cancelled. The default is 5 seconds.
	Patience time.Duration
}

// CheckError is a rule that an implementation broke.
type CheckError struct {
	// Check is the name of the check, and of the subtest of [Run].
	Check string
	// Err says what was wrong.
	Err error
}

// Error implements error.
func (e *CheckError) Error() string { return "authtest: " + e.Check + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *CheckError) Unwrap() error { return e.Err }

// Run tests an Authenticator against the rules of [auth.Authenticator], one subtest a rule. Run it under the race
// detector, which sees more than the checks can.
//
// The checks are:
//
//   - config: Config is complete.
//   - validate: [auth.Validate] has nothing to report.
//   - effect: Authenticate puts something on the request; [auth.None] alone does not.
//   - wire: what it puts there is well-formed: names, values, query.
//   - body: the body, GetBody and ContentLength are neither used up nor replaced. Calling GetBody is fine.
//   - request: method, host, path, and the headers, cookies and query of the caller stay.
//   - caller: a header that the caller set is not replaced and gets no second value.
//   - repeat: each attempt gets the same as the first, nothing accumulates, and an append to a header of one request
//     is not seen by the next.
//   - concurrent: 64 goroutines at once get the same as one.
//   - cancel: with a cancelled context, Authenticate succeeds or returns its cause, and does not wait.
//   - secrets: none of Secrets is in what fmt, encoding/json and log/slog print of the Authenticator, nor where a
//     dumper finds it by reflection.
//   - errors: Failing ones fail, and none of Secrets is in their errors.
func Run(t *testing.T, cfg Config) {
	t.Helper()
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			if err := c.run(t.Context(), cfg); err != nil {
				t.Error(err)
			}
		})
	}
}

// Check is [Run] without a test: it returns the broken rules as [*CheckError], joined. ctx bounds the calls of
// Authenticate.
func Check(ctx context.Context, cfg Config) error {
	var broken []error
	for _, c := range checks() {
		if err := c.run(ctx, cfg); err != nil {
			broken = append(broken, &CheckError{Check: c.name, Err: err})
		}
	}
	return errors.Join(broken...)
}

type check struct {
	name string
	run  func(context.Context, Config) error
}

func checks() []check {
	return []check{
		{"config", checkConfig},
		{"validate", checkValidate},
		{"effect", checkEffect},
		{"wire", checkWire},
		{"body", checkBody},
		{"request", checkRequest},
		{"caller", checkCaller},
		{"repeat", checkRepeat},
		{"concurrent", checkConcurrent},
		{"cancel", checkCancel},
		{"secrets", checkSecrets},
		{"errors", checkErrors},
	}
}

// minSecret is the length from which a secret is not found by accident.
const minSecret = 8

func checkConfig(_ context.Context, cfg Config) error {
	a, err := cfg.open()
	if err != nil {
		return err
	}
	if len(cfg.Secrets) == 0 && !auth.IsNone(a) {
		return errors.New("Config.Secrets is empty")
	}
	for i, s := range cfg.Secrets {
		if len(s) < minSecret {
			return fmt.Errorf("Config.Secrets[%d] has less than %d bytes", i, minSecret)
		}
	}
	return nil
}

func (cfg Config) open() (auth.Authenticator, error) {
	if cfg.New == nil {
		return nil, errors.New("Config.New is nil")
	}
	a := cfg.New()
	if a == nil {
		return nil, errors.New("Config.New returned nil")
	}
	return a, nil
}

func (cfg Config) patience() time.Duration {
	if cfg.Patience > 0 {
		return cfg.Patience
	}
	return 5 * time.Second
}
