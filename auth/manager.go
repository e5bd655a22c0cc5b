package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restconn/restconn/internal/wait"
)

// Manager is the [TokenSource] that keeps what a [Grant] obtains, and has it renewed. See [Manage].
type Manager struct {
	description

	grant      Grant
	store      TokenStore
	name       string
	seed       *Token
	watchers   []func(Event)
	before     time.Duration
	lifetime   time.Duration
	limit      time.Duration
	retries    int
	perSubject bool
	faults     []error // of the options
	fault      error   // all

	start    time.Time
	renewals lifecycle // and savings that are tried again
	edits    lifecycle // who sets and forgets; the end of a connection does not matter to them
	home     *keeper   // the keeper of the empty subject

	mu     sync.Mutex
	others map[string]*keeper // by subject
	bounds []*boundManager    // those that are open
}

// Manage returns the manager of the tokens of a grant: whoever asks gets the current one, without a lock and without
// a call as long as it is good.
//
//   - The first question after about three quarters of its life (0.65 to 0.75, at random) has a token renewed in the
//     background; nobody waits for that. A manager that is not asked renews nothing. A token is given up a tenth of its
//     life before it ends, or 30 s, whichever is shorter. It has ended when the monotonic or the wall clock says so.
//   - If there is no good token, one caller's question starts an exchange, and all others wait for the same. The
//     exchange belongs to nobody: a caller leaves when its own ctx ends, and the exchange has a limit of its own
//     ([RenewalLimit]).
//   - A failure is told to all who wait, and to all who ask before the next try: after 1 s, and twice as long each
//     time, up to a minute; Retry-After of the server is heeded up to a minute, too. After [ErrInvalidGrant] and
//     [ErrClientRejected] it is a minute at once. [Manager.Renew] and [Manager.Set] do not wait for it. A token that is
//     still good is used meanwhile.
//   - A token that was rejected ([Want].Not) is renewed once, whoever asks, and no more often than every 30 s, or once
//     in the life of a token that is shorter: a service that rejects every token burns none.
//   - With a store ([KeepIn]), of all processes that share it one renews, and the others find its token. What the
//     store cannot save is used all the same, and saved as soon as it can be.
//
// A grant whose refresh token is refused, and that has no other way, answers a [*LoginRequiredError], which is
// [ErrLoginRequired], until [Manager.Set] or another process brings a new token.
//
// A manager that only connections use need not be closed: closing the last of them ends what it runs.
//
// A Manager is safe for concurrent use, and may serve several connections. Errors of exchanges are [*RenewalError],
// those of the store [*StoreError].
func Manage(g Grant, opts ...ManageOption) *Manager {
	m := &Manager{grant: g, limit: DefaultRenewalLimit, start: time.Now(), others: make(map[string]*keeper)}
	for _, opt := range opts {
		if opt == nil {
			m.faults = append(m.faults, errors.New("an option is nil"))
			continue
		}
		opt.apply(m)
	}
	m.description = description(fmt.Sprintf("Manager of %T", g))
	if s, ok := g.(fmt.Stringer); ok {
		m.description = description("Manager of " + s.String())
	}
	m.home = m.newKeeper("")
	m.fault = m.check()
	return m
}

// Validate implements [Validator]: for the options, the grant and the store. A manager that is not valid has no
// token.
func (m *Manager) Validate() error { return m.fault }

// check returns all that is wrong with the manager.
func (m *Manager) check() error {
	faults := slices.Clip(m.faults)
	if v, ok := m.grant.(Validator); ok {
		faults = append(faults, v.Validate())
	} else if m.grant == nil {
		faults = append(faults, errNilGrant)
	}
	if m.store != nil {
		if v, ok := m.store.(Validator); ok {
			faults = append(faults, v.Validate())
		}
		if l, ok := m.store.(Leaser); ok && l.Lease() < m.limit+leaseSlack {
			faults = append(faults, fmt.Errorf(
				"the lease of the store, %v, has to be %v longer than the limit of a renewal, %v", l.Lease(), leaseSlack, m.limit))
		}
	}
	if m.perSubject && m.seed != nil {
		faults = append(faults, errors.New("Seed cannot be combined with PerSubject: use Set with the subject's context"))
	}
	return failAll("manager", faults...)
}

// IsPerSubject reports whether the manager keeps a token for each subject: see [PerSubject].
func (m *Manager) IsPerSubject() bool { return m.perSubject }

// Token implements [TokenSource].
func (m *Manager) Token(ctx context.Context, want Want) (*Token, error) {
	k, err := m.keeper(ctx)
	if err != nil {
		return nil, err
	}
	if t := k.cached(want); t != nil {
		return t, nil
	}
	caller, err := m.caller()
	if err != nil {
		return nil, err
	}
	t, err := k.token(ctx, caller, want)
	return t, k.explain(err)
}

// Extras returns the further values of the current token ([Token].Extra), such as the host of an API, in the clear: do
// not print them. It obtains a token where there is none, as Token does, and its errors are those of Token. It can be
// what connection.WithBaseParams asks.
func (m *Manager) Extras(ctx context.Context) (map[string]string, error) {
	t, err := m.Token(ctx, Want{})
	if err != nil {
		return nil, err
	}
	all := make(map[string]string, len(t.Extra))
	for name, value := range t.Extra {
		all[name] = value.Reveal()
	}
	return all, nil
}

// Renew makes an exchange although the current token may be good, keeps what it brings, and returns it. If an
// exchange is under way, that is the one. It does not wait for the time of the next try after a failure.
func (m *Manager) Renew(ctx context.Context) (*Token, error) {
	caller, err := m.caller()
	if err != nil {
		return nil, err
	}
	k, err := m.keeper(ctx)
	if err != nil {
		return nil, err
	}
	t, err := k.renewNow(ctx, caller)
	return t, k.explain(err)
}

// explain adds to an error that a login is required what it takes to begin one.
func (k *keeper) explain(err error) error {
	if err == nil || !errors.Is(err, ErrLoginRequired) {
		return err
	}
	return &LoginRequiredError{Key: k.key, Grant: k.m.grant, Err: err}
}

// Set keeps a token that was obtained by other means, such as a sign-in, in place of the current one. With a store,
// it is saved before Set returns. If ctx ends while it is being saved, nobody knows whether it will be.
//
// The current one is not revoked, nor is what an exchange brings that is under way and renews it: servers take the
// logins of one user for one grant, and a revocation could end the new one. [Manager.Forget] before a login revokes it.
//
// This manager uses the new token from the next request on. Others that share the store go on with the current one as
// long as it is good. They find the new one when they have to renew theirs, when a service rejects it, and when a
// service says that it lacks something ([StepUp]), within a second; one that has no token finds it within a second,
// too.
func (m *Manager) Set(ctx context.Context, t *Token) error {
	if t == nil || t.Value.Reveal() == "" && t.Refresh.Reveal() == "" {
		return fail("manager", ErrNoToken)
	}
	if ctx.Err() != nil {
		return fail("manager", wait.Ended(ctx))
	}
	if m.fault != nil {
		return m.fault
	}
	k, err := m.keeper(ctx)
	if err != nil {
		return err
	}
	return k.edit(ctx, func(ctx context.Context) error { return k.set(ctx, t) })
}

// Forget revokes the token if the grant is a [Revoker], and deletes it, from the store as well, whatever the server
// said to the revocation. What an exchange brings that is under way in this manager is dropped, too, and revoked
// unless another token is set meanwhile. Others that share the store go on with the token that they have until a
// service rejects it, or until it has to be renewed: without a [Revoker], or where a service does not ask whether a
// token was revoked, that may be its whole life. The error joins what failed.
func (m *Manager) Forget(ctx context.Context) error {
	caller, err := m.caller()
	if err != nil {
		return err
	}
	k, err := m.keeper(ctx)
	if err != nil {
		return err
	}
	return k.edit(ctx, func(ctx context.Context) error { return k.forget(ctx, caller.grant) })
}

// Close ends what runs in the background, and Set and Forget as if their contexts had ended. It waits for exchanges
// that use up a refresh token, which would be lost otherwise, and for a last try to save what could not be saved.
// Later calls fail with [ErrClosed]. The error is that of a token that is lost now.
func (m *Manager) Close() error {
	m.edits.end(true)
	m.renewals.end(true)
	ctx, cancel := context.WithTimeout(context.Background(), lastSave)
	defer cancel()
	var faults []error
	for _, k := range m.keepers() {
		k.saveNow(ctx)
		faults = append(faults, k.close())
	}
	return errors.Join(faults...)
}

// caller is on whose behalf work is done.
type caller struct {
	grant      Grant
	logger     *slog.Logger
	connection string
	closed     *atomic.Bool // of the connection; nil if there is none, or if it may go on after its end
}

// gone reports whether the connection is closed.
func (c caller) gone() bool { return c.closed != nil && c.closed.Load() }

// caller returns what a call outside any connection is made with: what the last connection brought that is open, or
// else the grant as it is.
func (m *Manager) caller() (caller, error) {
	if m.fault != nil {
		return caller{}, m.fault
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.bounds); n > 0 {
		last := m.bounds[n-1].caller
		last.closed = nil
		return last, nil
	}
	return caller{grant: m.grant, logger: slog.New(slog.DiscardHandler)}, nil
}

// BindSource implements [SourceBinder].
func (m *Manager) BindSource(host Host) (TokenSource, error) {
	if m.fault != nil {
		return nil, m.fault
	}
	b := &boundManager{Manager: m, caller: caller{grant: m.grant, logger: host.Logger, connection: host.Connection}}
	if b.caller.logger == nil {
		b.caller.logger = slog.New(slog.DiscardHandler)
	}
	if g, ok := m.grant.(GrantBinder); ok {
		bound, err := g.BindGrant(host)
		if err != nil {
			return nil, err
		}
		b.caller.grant = bound
		b.closer, _ = bound.(io.Closer)
	}
	if host.Call {
		return b, nil
	}
	b.caller.closed = &b.closed
	m.mu.Lock()
	m.bounds = append(m.bounds, b)
	m.mu.Unlock()
	for _, k := range m.keepers() {
		k.resume()
	}
	return b, nil
}

// release takes note that a connection is closed. After the last one, nothing goes on in the background.
func (m *Manager) release(b *boundManager) {
	m.mu.Lock()
	i := slices.Index(m.bounds, b)
	if i < 0 {
		m.mu.Unlock()
		return
	}
	m.bounds = slices.Delete(m.bounds, i, i+1)
	last := len(m.bounds) == 0
	m.mu.Unlock()
	if last {
		m.renewals.end(false)
	}
}

// boundManager is a Manager as one connection sees it.
type boundManager struct {
	*Manager

	caller caller
	closer io.Closer
	closed atomic.Bool
}

// Token implements [TokenSource].
func (b *boundManager) Token(ctx context.Context, want Want) (*Token, error) {
	if b.closed.Load() {
		return nil, fail("manager", ErrClosed)
	}
	k, err := b.keeper(ctx)
	if err != nil {
		return nil, err
	}
	if t := k.cached(want); t != nil {
		return t, nil
	}
	t, err := k.token(ctx, b.caller, want)
	return t, k.explain(err)
}

// Close releases the binding, and closes what the grant has opened for it. The Manager itself stays open.
func (b *boundManager) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	b.release(b)
	if b.closer == nil {
		return nil
	}
	return b.closer.Close()
}

// maxSubjects is how many subjects are kept in memory, beside those whose tokens are nowhere else.
const maxSubjects = 10_000

// keeper returns who keeps the token for a call.
func (m *Manager) keeper(ctx context.Context) (*keeper, error) {
	if !m.perSubject {
		return m.home, nil
	}
	subject := Subject(ctx)
	if subject == "" { // whoever forgot to say must not share a token with all others who did
		return nil, fail("manager", ErrNoSubject)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.others[subject]
	if !ok {
		m.makeRoom()
		k = m.newKeeper(subject)
		m.others[subject] = k
	}
	if m.store == nil {
		k.asked = time.Now()
	}
	return k, nil
}

// candidates is how many subjects are looked at for one that can be forgotten.
const candidates = 20

// makeRoom forgets subjects that nothing is lost with, if there are too many.
func (m *Manager) makeRoom() {
	if len(m.others) < maxSubjects {
		return
	}
	looked, now := 0, time.Now()
	for subject, k := range m.others { // in no order
		looked++
		if looked > candidates {
			return
		}
		if k.idle(now) {
			delete(m.others, subject)
		}
	}
}

func (m *Manager) newKeeper(subject string) *keeper {
	k := &keeper{m: m, key: Key{Connection: m.name, Subject: subject}, editing: make(chan struct{}, 1)}
	if m.grant != nil {
		k.key.Config = m.grant.Traits().Config
	}
	return k
}

func (m *Manager) keepers() []*keeper {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := []*keeper{m.home}
	for _, k := range m.others {
		all = append(all, k)
	}
	return all
}
