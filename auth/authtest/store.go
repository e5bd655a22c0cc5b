package authtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
)

// StoreConfig describes the TokenStore to test.
type StoreConfig struct {
	// New returns a new handle on the storage, which is the same each time, as several processes would have it. A
	// handle that is an io.Closer is closed. The suite works under keys of its own, and deletes them. Required.
	New func() (auth.TokenStore, error)

	// Lease is how long a lease lasts. The suite waits for the end of one, so make it short: 3 to 10 seconds. The
	// default is what the store says as an [auth.Leaser].
	Lease time.Duration

	// Rotations is how many tokens each of 8 handles renews in turn with the others. The default is 10.
	Rotations int

	// Failing returns a handle whose calls fail, such as one on a database that is not there. The errors are checked.
	// Optional, and may hold several.
	Failing []func() (auth.TokenStore, error)

	// Patience is how long a call may take when it has nobody to wait for. The default is 5 seconds.
	Patience time.Duration
}

// RunStore tests a TokenStore against the rules of [auth.TokenStore], one subtest a rule. It works in real time, with
// real databases, and takes about two leases. Run it under the race detector.
//
// The checks are:
//
//   - config: StoreConfig is complete.
//   - validate: [auth.Validator] has nothing to report.
//   - empty: where nothing is, Load returns the zero Record.
//   - first: the first Update gives fn the zero Record, and saves.
//   - versions: they grow, and fn gets what was saved before.
//   - seen: an Update that saw another version gets the record without a call of fn, also while the lease is taken.
//   - failure: if fn fails, the record stays, but for RetryAt and InFlight, also if there is no token yet.
//   - mark: while fn runs, the others see that it does.
//   - crash: after a panic and runtime.Goexit in fn the mark is there, and the lease is not.
//   - abandoned: the lease of a holder that hangs ends, after the ctx of its fn, and what it returns late is not saved.
//   - deadline: the ctx of fn ends before the lease does.
//   - leave: what fn returns is saved though ctx has ended meanwhile.
//   - wait: waiting for a lease ends with ctx.
//   - in flight: a Delete while fn runs holds: nothing is saved afterwards.
//   - delete: Delete removes the record, and a second one is no error.
//   - reuse: no version is used again after Delete.
//   - keys: keys do not meet, whatever is in their parts (UTF-8 without NUL).
//   - data: Data comes back byte for byte: binary, empty, 64 KiB.
//   - copied: Data of arguments and answers is not shared with what is stored.
//   - cancel: with a cancelled ctx fn is not called, and no lease is left behind.
//   - torn: those who load while others save see whole records, and none that is older than one before.
//   - exclusion: 8 handles renew a token that can be used once. None is used twice, and none is lost.
//   - errors: Failing ones fail with a [*auth.StoreError] that holds no part of Data.
func RunStore(t *testing.T, cfg StoreConfig) {
	t.Helper()
	for _, c := range storeChecks() {
		t.Run(c.name, func(t *testing.T) {
			if err := cfg.check(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
}

// CheckStore is [RunStore] without a test: it returns the broken rules as [*CheckError], joined.
func CheckStore(ctx context.Context, cfg StoreConfig) error {
	var broken []error
	for _, c := range storeChecks() {
		if err := cfg.check(ctx, c); err != nil {
			broken = append(broken, &CheckError{Check: c.name, Err: err})
		}
	}
	return errors.Join(broken...)
}

type storeCheck struct {
	name string
	run  func(*fixture) error
}

func storeChecks() []storeCheck {
	return []storeCheck{
		{"config", storeUsable},
		{"validate", storeValid},
		{"empty", storeEmpty},
		{"first", storeFirst},
		{"versions", storeVersions},
		{"seen", storeSeen},
		{"failure", storeFailure},
		{"mark", storeMark},
		{"crash", storeCrash},
		{"abandoned", storeAbandoned},
		{"deadline", storeDeadline},
		{"leave", storeLeave},
		{"wait", storeWait},
		{"in flight", storeInFlight},
		{"delete", storeDelete},
		{"reuse", storeReuse},
		{"keys", storeKeys},
		{"data", storeData},
		{"copied", storeCopied},
		{"cancel", storeCancel},
		{"torn", storeTorn},
		{"exclusion", storeExclusion},
		{"errors", storeErrors},
	}
}

// check runs one check, for no longer than it can take.
func (cfg StoreConfig) check(ctx context.Context, c storeCheck) error {
	b, err := newFixture(ctx, cfg)
	if err != nil {
		return err
	}
	limit := 3*b.lease + 10*b.patience
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	b.ctx = ctx
	done := make(chan error, 1)
	go func() {
		err := errors.New("the check ended its goroutine")
		defer func() {
			b.close() // whoever waits may remove what the store lives in
			done <- err
		}()
		err = c.run(b)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	// A check that heeds ctx knows better what it waited for.
	patience := time.NewTimer(b.patience)
	defer patience.Stop()
	select {
	case err := <-done:
		return err
	case <-patience.C:
		return fmt.Errorf("the store did not return within %v, nor when its ctx had ended", limit)
	}
}
