package auth

import (
	"errors"
	"fmt"
	"time"
)

// DefaultRenewalLimit is how long one exchange may take, unless [RenewalLimit] says otherwise: 30 s, since a server
// that is given up too early may have used up the refresh token.
const DefaultRenewalLimit = 30 * time.Second

// leaseSlack is by how much a lease has to outlast an exchange.
const leaseSlack = 15 * time.Second

// ManageOption is an option of [Manage]. What it was given wrong is reported by [Manager.Validate].
type ManageOption interface {
	fmt.Stringer
	apply(*Manager)
}

type manageOption struct {
	name string
	set  func(m *Manager) error
}

func (o manageOption) String() string { return o.name }

func (o manageOption) apply(m *Manager) {
	if err := o.set(m); err != nil {
		m.faults = append(m.faults, fmt.Errorf("%s: %w", o.name, err))
	}
}

// KeepIn keeps the tokens in a store, under a name that is one for all that share them. By default, they live in
// memory.
//
// The key has the name, the subject, and what the configuration of the grant says that its tokens are ([Traits].Config,
// see [Key]). What that cannot tell apart, such as two [GrantFunc], or the same client with secrets of two accounts,
// needs two names.
//
//   - Of the logins of package oauth2flow, AuthorizationCode and DeviceCode, these are the kind of login, the client
//     id, the token endpoint, the authorization or device endpoint, the resources, whether the ID token is sent as
//     the token (AsToken), and the configurations of Exchange and Then. A release that changes one of them signs
//     every user out. All else may change: scopes, secrets and client authentication, parameters, headers, names,
//     Renew, and the other endpoints. Users stay signed in with what they have allowed; a service that needs more
//     says so, see [StepUp]. A parameter that decides what a token is for, such as an audience, is not seen: change
//     the name with it.
//   - Of its other grants there are also the URL for refresh tokens, the client authentication, the scopes, Params and
//     Header: a release that changes one of them begins anew, Refresh with the refresh token that it is given.
//
// A record under a key that is not used any more stays in the store until [Manager.Forget] of a manager with the former
// configuration, or whoever owns the store, deletes it. Its tokens are not revoked by that change.
//
// A store that fails is told to those who [Watch] and to the connection's logger. Calls go on as long as there is a
// token, and exchanges do if they use up nothing.
func KeepIn(store TokenStore, name string) ManageOption {
	return manageOption{"KeepIn", func(m *Manager) error {
		switch {
		case store == nil:
			return errors.New("the store is nil")
		case name == "":
			return errors.New("the name is empty")
		}
		m.store, m.name = store, name
		return nil
	}}
}

// Seed gives the manager its first token, which is used until it ends or is rejected. A token in the store wins over
// it. Its Value may be empty if it has a refresh token.
func Seed(t Token) ManageOption {
	return manageOption{"Seed", func(m *Manager) error {
		if t.Value.Reveal() == "" && t.Refresh.Reveal() == "" {
			return errors.New("there is neither a token nor a refresh token")
		}
		m.seed = &t
		return nil
	}}
}

// Watch calls f with everything that happens to a token. f is called by whoever renews, one call at a time for each
// [Key], and holds up the renewal until it returns. It must not call the manager.
func Watch(f func(Event)) ManageOption {
	return manageOption{"Watch", func(m *Manager) error {
		if f == nil {
			return errors.New("the function is nil")
		}
		m.watchers = append(m.watchers, f)
		return nil
	}}
}

// RenewBefore renews tokens in the background from d before they expire. The default is a quarter of their lifetime
// and up to a tenth more, at random. Tokens that do not live longer than d keep to the default. A token is used for
// at least half of d while it is renewed.
func RenewBefore(d time.Duration) ManageOption {
	return durationOption("RenewBefore", d, func(m *Manager) { m.before = d })
}

// DefaultLifetime is the lifetime of tokens whose server does not tell. By default they are used until they are
// rejected. It does not apply to [Seed].
func DefaultLifetime(d time.Duration) ManageOption {
	return durationOption("DefaultLifetime", d, func(m *Manager) { m.lifetime = d })
}

// RenewalLimit is how long one exchange may take, [DefaultRenewalLimit] by default. It has nothing to do with the
// deadlines of those who wait for the token. The lease of a store has to be 15 s longer (see [Leaser]).
func RenewalLimit(d time.Duration) ManageOption {
	return durationOption("RenewalLimit", d, func(m *Manager) { m.limit = d })
}

// Retries repeats an exchange at once after a passing fault, up to n times, with pauses from 200 ms on and within the
// [RenewalLimit]. By default there is none: tokens are renewed early, and callers learn soon of the first that fails.
// What uses up a refresh token is never repeated, see [Traits].
func Retries(n int) ManageOption {
	return manageOption{"Retries", func(m *Manager) error {
		if n < 0 {
			return errors.New("the number is negative")
		}
		m.retries = n
		return nil
	}}
}

// PerSubject keeps one token for each [Subject] of the caller's context, which the grant reads there, too. A call
// without a subject is [ErrNoSubject]. By default all callers share one token.
//
// Some 10,000 subjects are kept in memory. Beyond that, those are forgotten whose token the store has, or that have
// none.
func PerSubject() ManageOption {
	return manageOption{"PerSubject", func(m *Manager) error {
		m.perSubject = true
		return nil
	}}
}

func durationOption(name string, d time.Duration, set func(m *Manager)) ManageOption {
	return manageOption{name, func(m *Manager) error {
		if d <= 0 {
			return errors.New("the duration is not positive")
		}
		set(m)
		return nil
	}}
}
