package rotation

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
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

// Report is one line that a worker writes about something that has happened.
type Report struct {
	Worker int
	// Done says that the worker has seen all rotations.
	Done bool `json:",omitempty"`
	// Saved is the number of a token that was saved, Window after the server had sent it.
	Saved  int           `json:",omitempty"`
	Window time.Duration `json:",omitempty"`
	// Lost says that a refresh token was refused, and that the manager told so as [auth.ErrLoginRequired].
	Lost bool `json:",omitempty"`
	// Unsaved says that the manager told of a token that was obtained and not saved.
	Unsaved bool `json:",omitempty"`
	// StoreFailed says that the manager told of a store that could not be read, or whose lease was not to be had.
	StoreFailed bool `json:",omitempty"`
	// TooSoon says that a rejected token was not renewed, because one was renewed for that reason just before.
	TooSoon bool `json:",omitempty"`
	// Wait is what the manager said when it had no token for a while.
	Wait string `json:",omitempty"`
	// Fault is any other error.
	Fault string `json:",omitempty"`
}

// WorkFromInput does the job that is the first line of in, and writes its reports to out. It ends when in does.
func WorkFromInput(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	var job Job
	if err := json.Unmarshal(line, &job); err != nil {
		return err
	}
	go func() { // it ends with the process
		_, _ = io.Copy(io.Discard, lines)
		cancel()
	}()
	return Work(ctx, job, out)
}

// Work uses the shared token until it has seen all rotations. It writes reports to out.
func Work(ctx context.Context, job Job, out io.Writer) error {
	w := &worker{Job: job, out: json.NewEncoder(out)}
	err := w.run(ctx)
	if err != nil && ctx.Err() == nil {
		w.report(Report{Fault: err.Error()})
	}
	return err
}

const (
	// maxPause is the longest time between two uses of the token, so that not one worker notices its end first each
	// time.
	maxPause = 3 * time.Millisecond
	// noToken is the time until a worker that has no token asks again.
	noToken = 10 * time.Millisecond
)

type worker struct {
	Job

	client  oauth2flow.Client
	manager *auth.Manager
	waiting bool // the manager has no token

	mu  sync.Mutex // around out
	out *json.Encoder
}

func (w *worker) report(r Report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Worker = w.Worker
	_ = w.out.Encode(r)
}

func (w *worker) run(ctx context.Context) (err error) {
	handle, err := interop.Open(ctx, w.Place)
	if err != nil {
		return err
	}
	defer func() { _ = handle.Close() }()
	transport := &http.Transport{MaxIdleConnsPerHost: 2}
	defer transport.CloseIdleConnections()
	w.client = client(w.URL, w.Worker, transport)
	store := timed{TokenStore: handle.TokenStore, saved: func(s saved) {
		window := s.age()
		_, n := numbers(s.Access)
		w.report(Report{Saved: n, Window: window})
	}}
	w.manager = manage(w.client, store, w.Place, w.watch)
	defer func() { err = errors.Join(err, w.manager.Close()) }()
	if err := w.use(ctx); err != nil {
		return err
	}
	w.report(Report{Done: true})
	return nil
}

// watch reports what the manager tells.
func (w *worker) watch(e auth.Event) {
	switch e.Kind {
	case auth.EventLost:
		w.report(Report{Lost: errors.Is(e.Err, auth.ErrLoginRequired) && errors.Is(e.Err, auth.ErrInvalidGrant)})
	case auth.EventUnsaved:
		w.report(Report{Unsaved: true})
	case auth.EventStoreFailed:
		w.report(Report{StoreFailed: true})
	case auth.EventRenewed, auth.EventAdopted, auth.EventFailed, auth.EventSaved, auth.EventUnfinished:
	}
}

// use asks for the token again and again. One token of two is used until it ends; the other is rejected at once.
func (w *worker) use(ctx context.Context) error {
	var want auth.Want
	for session, last := 0, 0; ; {
		pause := mathrand.N(maxPause)
		t, err := w.token(ctx, want)
		want = auth.Want{}
		switch {
		case err != nil:
			return err
		case t == nil:
			pause = noToken
		default:
			login, n := numbers(t.Value.Reveal())
			if login == session && n < last {
				return fmt.Errorf("token %d came after %d", n, last)
			}
			if n > w.Rotations {
				return nil
			}
			if n != last && n%2 == 1 {
				want.Not = t.Value
			}
			session, last = login, n
		}
		if err := wait.For(ctx, pause); err != nil {
			return err
		}
	}
}

// token asks the manager once, and signs in if it says so. There may be no token for a while.
func (w *worker) token(ctx context.Context, want auth.Want) (*auth.Token, error) {
	t, err := w.manager.Token(ctx, want)
	failure, failed := errors.AsType[*auth.RenewalError](err)
	switch {
	case err == nil:
		w.waiting = false
		return t, nil
	case ctx.Err() != nil:
		return nil, err
	case errors.Is(err, auth.ErrNotRenewable):
		w.report(Report{TooSoon: true})
		return nil, nil //nolint:nilnil // there is none, and that is no fault
	case errors.Is(err, auth.ErrLoginRequired):
		if err := signIn(ctx, w.client, w.manager); err != nil {
			w.wait(err)
		}
		return nil, nil //nolint:nilnil // the same
	case failed:
		w.wait(failure.Err)
		return nil, nil //nolint:nilnil // the same
	default:
		return nil, err
	}
}

// wait reports that there is no token for a while, once.
func (w *worker) wait(err error) {
	if !w.waiting {
		w.report(Report{Wait: err.Error()})
	}
	w.waiting = true
}
