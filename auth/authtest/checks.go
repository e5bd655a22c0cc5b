package authtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/restconn/restconn/auth"
)

func checkValidate(_ context.Context, cfg Config) error {
	a, err := cfg.open()
	if err != nil {
		return err
	}
	return auth.Validate(a)
}

func checkEffect(ctx context.Context, cfg Config) error {
	a, before, after, err := cfg.first(ctx)
	if err != nil {
		return err
	}
	if n := added(before, after); (len(n) == 0) != auth.IsNone(a) {
		return fmt.Errorf("Authenticate added %s to the request", describe(n))
	}
	return nil
}

func checkWire(ctx context.Context, cfg Config) error {
	_, _, after, err := cfg.first(ctx)
	if err != nil {
		return err
	}
	return wellFormed(after)
}

func checkBody(ctx context.Context, cfg Config) error {
	a, err := cfg.open()
	if err != nil {
		return err
	}
	req, b, err := newRequest(ctx)
	if err != nil {
		return err
	}
	if err := a.Authenticate(req); err != nil {
		return err
	}
	switch {
	case b.used.Load():
		return errors.New("the body was read or closed")
	case req.Body != io.ReadCloser(b):
		return errors.New("the body was replaced")
	case req.ContentLength != int64(len(payload)):
		return errors.New("ContentLength was changed")
	case req.GetBody == nil:
		return errors.New("GetBody was removed")
	}
	again, err := req.GetBody()
	if err != nil {
		return fmt.Errorf("GetBody: %w", err)
	}
	text, err := io.ReadAll(again)
	if err := errors.Join(err, again.Close()); err != nil {
		return fmt.Errorf("GetBody: %w", err)
	}
	if string(text) != payload {
		return errors.New("GetBody was replaced by one with another body")
	}

	bare, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	if err := a.Authenticate(bare); err != nil {
		return fmt.Errorf("a request without a body: %w", err)
	}
	if bare.Body != nil || bare.GetBody != nil {
		return errors.New("a request without a body got one")
	}
	return nil
}

func checkRequest(ctx context.Context, cfg Config) error {
	_, before, after, err := cfg.first(ctx)
	if err != nil {
		return err
	}
	return replaced(before, after)
}

func checkCaller(ctx context.Context, cfg Config) error {
	a, before, after, err := cfg.first(ctx)
	if err != nil {
		return err
	}
	const own = "callers-own"
	for what := range added(before, after) {
		name, ok := strings.CutPrefix(what, "header ")
		if !ok {
			continue
		}
		req, _, err := newRequest(ctx)
		if err != nil {
			return err
		}
		req.Header.Set(name, own)
		if err := a.Authenticate(req); err != nil {
			continue // an error says it at least as well
		}
		if values := req.Header[name]; len(values) != 1 || values[0] != own {
			return fmt.Errorf("header %s of the caller was replaced, or got a second value", name)
		}
	}
	return nil
}

func checkRepeat(ctx context.Context, cfg Config) error {
	a, before, after, err := cfg.first(ctx)
	if err != nil {
		return err
	}
	want := added(before, after)

	// Whoever has the request may append to its headers, and the next one is not to see it.
	const foreign = "appended-by-others"
	for name := range after.Header {
		after.Header.Add(name, foreign)
	}

	// A retry and a redirect start from the same request once more.
	base := before
	untouched := base.Clone(ctx)
	for n := 2; n <= 3; n++ {
		next := base.Clone(ctx)
		if err := a.Authenticate(next); err != nil {
			return fmt.Errorf("attempt %d: %w", n, err)
		}
		if got := added(untouched, next); !maps.Equal(got, want) {
			return fmt.Errorf("attempt 1 added %s, attempt %d %s", describe(want), n, describe(got))
		}
		if err := errors.Join(wellFormed(next), replaced(untouched, next)); err != nil {
			return fmt.Errorf("attempt %d: %w", n, err)
		}
		for name, values := range next.Header {
			if slices.Contains(values[:cap(values)], foreign) {
				return fmt.Errorf("attempt %d: header %s shares its slice with the request before", n, name)
			}
		}
		if got := added(untouched, base); len(got) > 0 {
			return fmt.Errorf("attempt %d changed the request that it was cloned from: %s", n, describe(got))
		}
	}
	return nil
}

func checkConcurrent(ctx context.Context, cfg Config) error {
	_, before, after, err := cfg.first(ctx)
	if err != nil {
		return err
	}
	want := added(before, after)
	a, err := cfg.open() // a new one, so that the first use is concurrent as well
	if err != nil {
		return err
	}

	const goroutines = 64
	var wg sync.WaitGroup
	faults := make([]error, goroutines)
	start := make(chan struct{})
	for i := range goroutines {
		wg.Go(func() {
			<-start
			before, after, err := attempt(ctx, a)
			if err != nil {
				faults[i] = err
				return
			}
			if got := added(before, after); !maps.Equal(got, want) {
				faults[i] = fmt.Errorf("alone, Authenticate added %s; among others, %s", describe(want), describe(got))
				return
			}
			faults[i] = errors.Join(wellFormed(after), replaced(before, after))
		})
	}
	close(start)
	wg.Wait()
	for _, err := range faults {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkCancel(ctx context.Context, cfg Config) error {
	a, err := cfg.open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	req, _, err := newRequest(ctx)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- a.Authenticate(req) }()
	patience := time.NewTimer(cfg.patience())
	defer patience.Stop()
	select {
	case err := <-done:
		if err != nil && !errors.Is(err, context.Canceled) {
			return fmt.Errorf("Authenticate with a cancelled context returned an error that is not context.Canceled: %w", err)
		}
		return nil
	case <-patience.C:
		return fmt.Errorf("Authenticate with a cancelled context did not return within %v", cfg.patience())
	}
}

func checkSecrets(ctx context.Context, cfg Config) error {
	a, err := cfg.open()
	if err != nil {
		return err
	}
	s := newSearch(cfg.Secrets)
	if err := s.printed(a); err != nil {
		return fmt.Errorf("before Authenticate: %w", err)
	}
	if _, _, err := attempt(ctx, a); err != nil {
		return err
	}
	if err := s.printed(a); err != nil {
		return fmt.Errorf("after Authenticate: %w", err)
	}
	return nil
}

func checkErrors(ctx context.Context, cfg Config) error {
	s := newSearch(cfg.Secrets)
	for i, failing := range cfg.Failing {
		a := failing()
		if a == nil {
			return fmt.Errorf("Config.Failing[%d] returned nil", i)
		}
		_, _, err := attempt(ctx, a)
		if err == nil {
			return fmt.Errorf("Config.Failing[%d] did not fail", i)
		}
		if err := s.printed(err); err != nil {
			return fmt.Errorf("the error of Config.Failing[%d]: %w", i, err)
		}
		if err := s.printed(a); err != nil {
			return fmt.Errorf("Config.Failing[%d]: %w", i, err)
		}
	}
	return nil
}
