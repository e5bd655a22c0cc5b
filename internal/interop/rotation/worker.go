package rotation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/interop"
	"github.com/restconn/restconn/internal/wait"
)

// Job is what a worker does. It travels as JSON.
type Job struct {
	Worker    int
	Place     interop.Place
	URL       string // of the token server
	Rotations int    // how many have to be seen
}

// Report is one line that a worker writes: how often something happened since the last one.
type Report struct {
	Worker int
	// Done says that the worker has seen all rotations.
	Done bool `json:",omitempty"`
	// Torn says that a record could not be parsed.
	Torn bool `json:",omitempty"`
	// Lost says that a refresh token was lost, and that the store told so as [auth.ErrLoginRequired].
	Lost bool `json:",omitempty"`
	// Unsaved says that a token was obtained and not saved, and that the store told so as [auth.StoreError].
	Unsaved bool `json:",omitempty"`
	// Fault is any other error.
	Fault string `json:",omitempty"`
}

// Work renews the shared token until it has seen all rotations. It writes reports to out.
func Work(ctx context.Context, job Job, out io.Writer) error {
	w := &worker{Job: job, out: json.NewEncoder(out)}
	err := w.run(ctx)
	if err != nil && ctx.Err() == nil {
		w.report(Report{Fault: err.Error(), Torn: errors.Is(err, errTorn)})
	}
	return err
}

// maxPause is the longest pause before a renewal.
const maxPause = 3 * time.Millisecond

type worker struct {
	Job

	out   *json.Encoder
	store auth.TokenStore
	grant *grant
}

func (w *worker) report(r Report) {
	r.Worker = w.Worker
	_ = w.out.Encode(r)
}

func (w *worker) run(ctx context.Context) error {
	handle, err := interop.Open(ctx, w.Place)
	if err != nil {
		return err
	}
	defer func() { _ = handle.Close() }()
	transport := &http.Transport{MaxIdleConnsPerHost: 2}
	defer transport.CloseIdleConnections()
	w.store = handle.TokenStore
	w.grant = &grant{client: &http.Client{Transport: transport, Timeout: time.Minute}, url: w.URL, worker: w.Worker}
	rec, err := w.store.Load(ctx, key())
	for last := 0; ; {
		if err != nil {
			return err
		}
		seen, err := w.seen(rec, last)
		if err != nil {
			return err
		}
		if seen >= w.Rotations {
			w.report(Report{Done: true})
			return nil
		}
		last = seen
		if rec, err = w.next(ctx, rec.Version); err != nil {
			return err
		}
	}
}

// seen returns how many rotations there were when the record was made. A record that is older than the last is a fault.
func (w *worker) seen(rec auth.Record, last int) (int, error) {
	t, err := decode(rec)
	if err != nil || t == nil {
		return 0, err
	}
	n := number(t.Value.Reveal()) - 1 // the first is a login
	if n < last {
		return 0, fmt.Errorf("token %d came after %d", n, last)
	}
	return n, nil
}

// next makes one step: a renewal, and a login where one is required. A store that failed is asked anew.
func (w *worker) next(ctx context.Context, seen uint64) (auth.Record, error) {
	// They all begin anew at different moments, so that not one of them wins all the time.
	if err := wait.For(ctx, mathrand.N(maxPause)); err != nil {
		return auth.Record{}, err
	}
	rec, err := renew(ctx, w.store, w.grant, seen)
	if errors.Is(err, auth.ErrLoginRequired) {
		w.report(Report{Lost: errors.Is(err, auth.ErrInvalidGrant)})
		rec, err = signIn(ctx, w.store, w.grant, seen)
	}
	if _, ok := errors.AsType[*auth.StoreError](err); ok && ctx.Err() == nil {
		w.report(Report{Unsaved: true})
		return w.store.Load(ctx, key())
	}
	return rec, err
}
