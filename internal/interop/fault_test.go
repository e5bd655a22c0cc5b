package interop_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore/sqlstore"
	"github.com/restconn/restconn/internal/interop"
)

// wireKinds are those whose connections go through a relay.
func wireKinds() []string { return []string{"postgres", "redis"} }

// relay is a TCP connection to a server that can be made to misbehave.
type relay struct {
	listener net.Listener
	target   string
	mute     atomic.Bool // nothing passes, and nothing is closed
	drop     atomic.Bool // the next answer is dropped, and its connection cut

	all   sync.WaitGroup
	mu    sync.Mutex
	conns []net.Conn
}

// newRelay changes the address of a place to that of a relay.
func newRelay(t *testing.T, place *interop.Place) *relay {
	t.Helper()
	u, err := url.Parse(place.Address)
	if err != nil {
		t.Fatal("the address is no URL")
	}
	r := &relay{target: u.Host}
	if r.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	u.Host = r.listener.Addr().String()
	place.Address = u.String()
	r.all.Go(r.accept)
	t.Cleanup(r.close)
	return r
}

func (r *relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		r.mu.Lock()
		r.conns = append(r.conns, client, server)
		r.mu.Unlock()
		r.all.Go(func() { r.copy(server, client, false) })
		r.all.Go(func() { r.copy(client, server, true) })
	}
}

// copy passes on what comes from src.
func (r *relay) copy(dst, src net.Conn, answers bool) {
	defer func() { _ = dst.Close() }()
	defer func() { _ = src.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := src.Read(buf)
		if err != nil {
			return
		}
		if r.mute.Load() {
			continue
		}
		if answers && r.drop.CompareAndSwap(true, false) {
			return
		}
		if _, err := dst.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (r *relay) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.all.Wait()
}

// TestLostAnswer cuts the connection after the database has saved and before it could say so.
func TestLostAnswer(t *testing.T) {
	each(t, wireKinds(), func(t *testing.T, place interop.Place) {
		r := newRelay(t, &place)
		h := open(t, place)
		seen := put(t, h, alice, 0, "old").Version
		rec, err := h.Update(t.Context(), alice, seen, func(context.Context, auth.Record) (auth.Record, error) {
			r.drop.Store(true)
			return auth.Record{Data: []byte("new")}, nil
		})
		if err != nil || r.drop.Load() {
			t.Errorf("M6 a saved token is reported as lost: %v (answer dropped: %t)", err, !r.drop.Load())
		}
		if got := load(t, h, alice); string(got.Data) != "new" || got.Version != rec.Version || got.Version != seen+1 {
			t.Errorf("got %+v", got)
		}
		put(t, h, alice, seen+1, "newer") // the lease was given back
	})
}

// TestSilence lets the database fall silent.
func TestSilence(t *testing.T) {
	each(t, wireKinds(), func(t *testing.T, place interop.Place) {
		r := newRelay(t, &place)
		h := open(t, place)
		seen := put(t, h, alice, 0, "old").Version
		r.mute.Store(true)
		calls := map[string]func(context.Context) error{
			"load":   func(ctx context.Context) error { _, err := h.Load(ctx, alice); return err },
			"delete": func(ctx context.Context) error { return h.Delete(ctx, alice) },
			"lease": func(ctx context.Context) error {
				_, err := h.Update(ctx, alice, seen, returns(auth.Record{}, errors.New("fn was called")))
				return err
			},
		}
		for op, call := range calls {
			t.Run("M1 M6 slow "+op, func(t *testing.T) {
				err := call(within(t, 100*time.Millisecond))
				wantStoreError(t, err, op)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
			t.Run("canceled "+op, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(50*time.Millisecond, cancel)
				err := call(ctx)
				wantStoreError(t, err, op)
				if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
	})
}

// TestDown has no server at all.
func TestDown(t *testing.T) {
	each(t, wireKinds(), func(t *testing.T, place interop.Place) {
		h := open(t, place)
		put(t, h, alice, 0, "old")
		r := newRelay(t, &place)
		down := open(t, place)
		if down.DB != nil {
			down.DB.SetMaxIdleConns(0) // no connection is left that could fail in another way
		}
		r.close()
		_, err := down.Load(within(t, 10*time.Second), alice)
		wantStoreError(t, err, "load")
		refused, ok := errors.AsType[*net.OpError](err)
		if !ok || refused.Op != "dial" {
			t.Errorf("M6 down: %v", err)
		}
		called := false
		_, err = down.Update(within(t, 10*time.Second), alice, 0, func(context.Context, auth.Record) (auth.Record, error) {
			called = true
			return auth.Record{}, nil
		})
		wantStoreError(t, err, "lease")
		if called {
			t.Error("an exchange was made without a lease")
		}
	})
}

const canary = "canary-7f3a-refresh-token"

// TestQuotes makes real databases quote the row in their errors.
func TestQuotes(t *testing.T) {
	refuse := map[string]string{
		"sqlite": `CREATE TRIGGER t BEFORE UPDATE OF data ON "%s" WHEN length(new.data) > 9` +
			` BEGIN SELECT RAISE(FAIL, 'no'); END`,
		"postgres": `ALTER TABLE "%s" ADD CHECK (octet_length(data) < 10)`,
	}
	refuse["pgbouncer"] = refuse["postgres"]
	each(t, sqlKinds(), func(t *testing.T, place interop.Place) {
		place.Lease = time.Second
		h := open(t, place)
		if _, err := h.DB.Exec(fmt.Sprintf(refuse[place.Kind], place.Space)); err != nil {
			t.Fatal(err)
		}
		rec, err := h.Update(t.Context(), alice, 0, returns(auth.Record{Data: []byte(canary)}, nil))
		wantStoreError(t, err, "save")
		if failed, ok := errors.AsType[*sqlstore.Error](err); !ok || failed.Code == "" {
			t.Errorf("M5: %v", err)
		}
		if string(rec.Data) != canary {
			t.Error("M5 the token that could not be saved is lost")
		}
		for _, text := range texts(err) {
			if strings.Contains(text, canary) || strings.Contains(text, "63616e617279") {
				t.Errorf("S47 an error quotes the token: %s", text)
			}
		}
	})
}

// TestRedisQuotes shows why the store does not repeat what Redis says.
func TestRedisQuotes(t *testing.T) {
	place := newPlace(t, "redis")
	u, err := url.Parse(place.Address)
	if err != nil {
		t.Fatal("the address is no URL")
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	password, _ := u.User.Password()
	fmt.Fprintf(conn, "AUTH %s\r\nNOSUCH %s\r\nQUIT\r\n", password, canary)
	reply, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(reply), canary) {
		t.Fatalf("Redis does not quote what it is sent any more: %q, %v", reply, err)
	}
}

// texts returns what err and all errors beneath it can be made to say.
func texts(err error) []string {
	if err == nil {
		return nil
	}
	all := []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)}
	switch e := err.(type) { //nolint:errorlint // each error is looked at by itself
	case interface{ Unwrap() error }:
		all = append(all, texts(e.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			all = append(all, texts(inner)...)
		}
	}
	return all
}
