package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/auth/tokenstore/redisstore"
)

func TestMain(m *testing.M) {
	redis.SetLogger(quiet{})
	goleak.VerifyTestMain(m)
}

// quiet keeps the client from writing about servers that are down on purpose.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

var alice = auth.Key{Connection: "payments", Config: "c1", Subject: "alice"}

const (
	canary  = "canary-7f3a-refresh-token"
	record  = "restconn:tok:{payments:c1:alice}"
	leaseOf = record + ":lease"
)

// serve returns a server, and a client that is closed after the test.
func serve(t *testing.T) (*miniredis.Miniredis, *redis.Client) {
	t.Helper()
	server := miniredis.RunT(t)
	return server, connect(t, &redis.Options{Addr: server.Addr()})
}

func connect(t *testing.T, opts *redis.Options) *redis.Client {
	t.Helper()
	client := redis.NewClient(opts)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func returns(rec auth.Record, err error) func(context.Context, auth.Record) (auth.Record, error) {
	return func(context.Context, auth.Record) (auth.Record, error) { return rec, err }
}

// put saves data under the version after seen.
func put(t *testing.T, store auth.TokenStore, seen uint64, data string) auth.Record {
	t.Helper()
	rec, err := store.Update(t.Context(), alice, seen, returns(auth.Record{Data: []byte(data)}, nil))
	if err != nil || string(rec.Data) != data {
		t.Fatalf("Update: %q, %v", rec.Data, err)
	}
	return rec
}

func load(t *testing.T, store auth.TokenStore) auth.Record {
	t.Helper()
	rec, err := store.Load(t.Context(), alice)
	if err != nil {
		t.Fatal("Load:", err)
	}
	return rec
}

func TestValidate(t *testing.T) {
	t.Parallel()
	_, client := serve(t)
	for _, tt := range []struct {
		name  string
		store auth.TokenStore
		want  []string
	}{
		{name: "fine", store: redisstore.New(client)},
		{name: "options", store: redisstore.New(client, redisstore.Prefix(""), redisstore.Lease(time.Minute))},
		{name: "no client", store: redisstore.New(nil, redisstore.Prefix("a{b")), want: []string{"client is nil", "brace"}},
		{name: "a nil option", store: redisstore.New(client, nil), want: []string{"option is nil"}},
		{name: "an option is nil", store: redisstore.New(client, nil), want: []string{"option is nil"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.store.(auth.Validator).Validate()
			if (err != nil) != (len(tt.want) > 0) {
				t.Errorf("Validate: %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(fmt.Sprint(err), want) {
					t.Errorf("Validate: %v, want %q", err, want)
				}
			}
		})
	}
	_, err := redisstore.New(nil).Load(t.Context(), alice)
	if _, ok := errors.AsType[*auth.StoreError](err); !ok {
		t.Errorf("a store that nobody has validated: %v", err)
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	server, client := serve(t)
	store := redisstore.New(client)
	if got := load(t, store); got.Version != 0 || got.Data != nil {
		t.Errorf("no record is %+v", got)
	}
	data := "\x00\xff\r\n" + strings.Repeat("x", 100_000)
	rec := put(t, store, 0, data)
	if got := load(t, store); string(got.Data) != data || got.Version != rec.Version || got.InFlight {
		t.Errorf("got version %d, %d bytes", got.Version, len(got.Data))
	}
	if ttl := server.TTL(record); ttl != 0 {
		t.Errorf("the record ends after %v", ttl)
	}
	if server.Exists(leaseOf) {
		t.Error("the lease was not given back")
	}
	retryAt, reason := time.Now().Add(time.Hour), errors.New("no")
	failed := auth.Record{RetryAt: retryAt, InFlight: true}
	if _, err := store.Update(t.Context(), alice, rec.Version, returns(failed, reason)); !errors.Is(err, reason) {
		t.Error(err)
	}
	if got := load(t, store); !got.RetryAt.Equal(retryAt) || !got.InFlight || got.Version != rec.Version ||
		string(got.Data) != data {
		t.Errorf("after a failed exchange: version %d, %d bytes", got.Version, len(got.Data))
	}
	if err := store.Delete(t.Context(), alice); err != nil || len(server.Keys()) != 0 {
		t.Errorf("after Delete: %v, %v", server.Keys(), err)
	}
}

// TestVersions compares versions that are one number to a double.
func TestVersions(t *testing.T) {
	t.Parallel()
	server, client := serve(t)
	store := redisstore.New(client)
	put(t, store, 0, "old")
	const large = 1<<53 + 1
	server.HSet(record, "v", strconv.FormatUint(large, 10))
	called := false
	if _, err := store.Update(t.Context(), alice, large-1, func(context.Context, auth.Record) (auth.Record, error) {
		called = true
		return auth.Record{}, nil
	}); err != nil || called {
		t.Errorf("Update: %v, called: %t", err, called)
	}
	_, err := store.Update(t.Context(), alice, large, func(context.Context, auth.Record) (auth.Record, error) {
		server.HSet(record, "v", strconv.FormatUint(large-1, 10))
		return auth.Record{Data: []byte("new")}, nil
	})
	if !errors.Is(err, tokenstore.ErrLeaseLost) {
		t.Errorf("M8: %v", err)
	}
	server.HSet(record, "v", "18446744073709551614")
	if rec := put(t, store, 1<<64-2, "last"); rec.Version != 1<<64-1 || load(t, store).Version != rec.Version {
		t.Errorf("got version %d", rec.Version)
	}
}

// TestKeys looks at the names, for the hash slot.
func TestKeys(t *testing.T) {
	t.Parallel()
	server, client := serve(t)
	for key, want := range map[auth.Key]string{
		alice:                                record,
		{}:                                   "restconn:tok:{::}",
		{Connection: "}{", Config: "a:b"}:    "restconn:tok:{%7D%7B:a%3Ab:}",
		{Connection: "}{:a", Subject: "b"}:   "restconn:tok:{%7D%7B%3Aa::b}",
		{Subject: "tenant 7/\x00\xff%é\r\n"}: "restconn:tok:{::tenant+7%2F%00%FF%25%C3%A9%0D%0A}",
	} {
		_, err := redisstore.New(client).Update(t.Context(), key, 0, func(context.Context, auth.Record) (auth.Record, error) {
			for _, name := range []string{want, want + ":lease"} {
				if !server.Exists(name) {
					t.Errorf("there is no key %s in %q", name, server.Keys())
				}
			}
			return auth.Record{}, nil
		})
		if err != nil {
			t.Error(err)
		}
		server.FlushAll()
	}
	put(t, redisstore.New(client, redisstore.Prefix("app:")), 0, "x")
	if got := server.Keys(); len(got) != 1 || got[0] != "app:{payments:c1:alice}" {
		t.Errorf("got %q", got)
	}
}

// TestLeaseLost changes what is stored while an exchange goes on.
func TestLeaseLost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		meanwhile func(t *testing.T, server *miniredis.Miniredis, other auth.TokenStore, seen uint64)
		want      string
	}{
		{
			name: "M7 M8 the lease ended", want: "theirs",
			meanwhile: func(t *testing.T, server *miniredis.Miniredis, other auth.TokenStore, seen uint64) {
				server.FastForward(tokenstore.DefaultLease)
				put(t, other, seen, "theirs")
			},
		},
		{
			name: "the lease ended, and nobody came", want: "old",
			meanwhile: func(_ *testing.T, server *miniredis.Miniredis, _ auth.TokenStore, _ uint64) {
				server.FastForward(tokenstore.DefaultLease)
			},
		},
		{
			name: "the lease is another's", want: "old",
			meanwhile: func(t *testing.T, server *miniredis.Miniredis, _ auth.TokenStore, _ uint64) {
				if err := server.Set(leaseOf, "another"); err != nil {
					t.Error(err)
				}
			},
		},
		{
			name: "deleted",
			meanwhile: func(t *testing.T, _ *miniredis.Miniredis, other auth.TokenStore, _ uint64) {
				if err := other.Delete(t.Context(), alice); err != nil {
					t.Error(err)
				}
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, client := serve(t)
			store, other := redisstore.New(client), redisstore.New(client)
			seen := put(t, store, 0, "old").Version
			rec, err := store.Update(t.Context(), alice, seen, func(context.Context, auth.Record) (auth.Record, error) {
				tt.meanwhile(t, server, other, seen)
				return auth.Record{Data: []byte("ours")}, nil
			})
			failed, ok := errors.AsType[*auth.StoreError](err)
			if !ok || failed.Op != "save" || !errors.Is(err, tokenstore.ErrLeaseLost) || string(rec.Data) != "ours" {
				t.Errorf("Update: %q, %v", rec.Data, err)
			}
			if got := load(t, store); string(got.Data) != tt.want {
				t.Errorf("the record is %q", got.Data)
			}
			if got, err := server.Get(leaseOf); err == nil && got != "another" {
				t.Error("a lease is left")
			}
		})
	}
}

// TestOwner gives back a lease that is another's.
func TestOwner(t *testing.T) {
	t.Parallel()
	server, client := serve(t)
	store := redisstore.New(client)
	reason := errors.New("no")
	_, err := store.Update(t.Context(), alice, 0, func(context.Context, auth.Record) (auth.Record, error) {
		return auth.Record{}, errors.Join(reason, server.Set(leaseOf, "another"))
	})
	if !errors.Is(err, reason) || !server.Exists(leaseOf) {
		t.Errorf("Update: %v, keys: %q", err, server.Keys())
	}
}

func TestCrashed(t *testing.T) {
	t.Parallel()
	server, client := serve(t)
	store, other := redisstore.New(client), redisstore.New(client)
	seen := put(t, store, 0, "old").Version
	_, _ = store.Update(t.Context(), alice, seen, func(ctx context.Context, _ auth.Record) (auth.Record, error) {
		if ttl := server.TTL(leaseOf); ttl != tokenstore.DefaultLease {
			t.Errorf("the lease is %v", ttl)
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		_, err := other.Update(gone, alice, seen, returns(auth.Record{}, nil))
		failed, ok := errors.AsType[*auth.StoreError](err)
		if !ok || failed.Op != "lease" || !errors.Is(err, context.Canceled) {
			t.Errorf("while it is held: %v", err)
		}
		server.FastForward(tokenstore.DefaultLease)
		rec, err := other.Update(t.Context(), alice, seen, func(_ context.Context, cur auth.Record) (auth.Record, error) {
			if !cur.InFlight || string(cur.Data) != "old" {
				t.Errorf("nothing tells that an exchange was begun: %+v", cur)
			}
			return auth.Record{Data: []byte("new")}, nil
		})
		if err != nil || rec.Version != seen+1 {
			t.Errorf("after it has ended: %+v, %v", rec, err)
		}
		return auth.Record{}, errors.New("too late")
	})
	if got := load(t, store); string(got.Data) != "new" || got.InFlight {
		t.Errorf("the record is %+v", got)
	}
}

func TestShared(t *testing.T) {
	t.Parallel()
	_, client := serve(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	calls := 0
	for range 8 {
		all.Go(func() {
			store := redisstore.New(client)
			rec, err := store.Update(t.Context(), alice, 0, func(context.Context, auth.Record) (auth.Record, error) {
				mu.Lock()
				defer mu.Unlock()
				calls++
				return auth.Record{Data: []byte("new")}, nil
			})
			if err != nil || string(rec.Data) != "new" {
				t.Errorf("Update: %+v, %v", rec, err)
			}
		})
	}
	all.Wait()
	if calls != 1 {
		t.Errorf("S50 there were %d exchanges", calls)
	}
}

// TestScripts has a server that forgets its scripts.
func TestScripts(t *testing.T) {
	t.Parallel()
	_, client := serve(t)
	store := redisstore.New(client)
	seen := uint64(0)
	for range 2 {
		_, err := store.Update(t.Context(), alice, seen, func(ctx context.Context, _ auth.Record) (auth.Record, error) {
			return auth.Record{Data: []byte("x")}, client.ScriptFlush(ctx).Err()
		})
		if err != nil {
			t.Error(err)
		}
		seen = load(t, store).Version
	}
}

// TestLostAnswer cuts the connection after the record was saved and before Redis could say so.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	for _, retries := range []int{-1, 3} { // of the client; without them, those of the store
		t.Run(fmt.Sprint("M6 ", retries), func(t *testing.T) {
			t.Parallel()
			server := miniredis.RunT(t)
			var last *cutConn
			client := connect(t, &redis.Options{
				Addr: server.Addr(), MaxRetries: retries, PoolSize: 1,
				Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, addr)
					last = &cutConn{Conn: conn}
					return last, err
				},
			})
			store := redisstore.New(client)
			rec, err := store.Update(t.Context(), alice, 0, func(context.Context, auth.Record) (auth.Record, error) {
				last.cut = true
				return auth.Record{Data: []byte("new")}, nil
			})
			if err != nil {
				t.Errorf("a saved token is reported as lost: %v", err)
			}
			if got := load(t, store); string(got.Data) != "new" || got.Version != rec.Version {
				t.Errorf("the record is %+v", got)
			}
		})
	}
}

// cutConn loses the next answer.
type cutConn struct {
	net.Conn

	cut bool
}

func (c *cutConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.cut && n > 0 {
		_ = c.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for field, value := range map[string]string{"v": canary, "retry": canary} {
		t.Run("M2 "+field, func(t *testing.T) {
			t.Parallel()
			server, client := serve(t)
			store := redisstore.New(client)
			put(t, store, 0, "old")
			server.HSet(record, field, value)
			_, err := store.Load(t.Context(), alice)
			failed, ok := errors.AsType[*auth.StoreError](err)
			if !ok || failed.Op != "decode" || strings.Contains(err.Error(), canary) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestReplies has a Redis that answers with an error.
func TestReplies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, reply, code, text string }{
		{name: "M5 full", reply: "OOM command not allowed when used memory > 'maxmemory'.", code: "OOM", text: "memory"},
		{name: "a replica", reply: "READONLY You can't write to a replica.", code: "READONLY", text: "replica"},
		{name: "starting", reply: "LOADING Redis is loading the dataset in memory", code: "LOADING", text: "not ready"},
		{name: "the login", reply: "NOAUTH Authentication required.", code: "NOAUTH", text: "login"},
		{name: "S47 it quotes", reply: "ERR unknown command, with args beginning with: " + canary, code: "ERR"},
		{name: "S47 it does nothing but quote", reply: canary, code: "ERR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := miniredis.RunT(t)
			client := connect(t, &redis.Options{Addr: server.Addr(), MaxRetries: -1})
			store := redisstore.New(client, redisstore.Lease(time.Second))
			server.SetError(tt.reply)
			_, err := store.Load(t.Context(), alice)
			_, ok := errors.AsType[*auth.StoreError](err)
			failed, typed := errors.AsType[*redisstore.Error](err)
			if !ok || !typed || failed.Code != tt.code || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("M1: %v", err)
			}
			for _, text := range texts(err) {
				if strings.Contains(text, canary) {
					t.Errorf("an error quotes the token: %s", text)
				}
			}
		})
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

func TestDown(t *testing.T) {
	t.Parallel()
	server, client := serve(t)
	store := redisstore.New(client)
	server.Close()
	_, err := store.Update(t.Context(), alice, 0, returns(auth.Record{}, errors.New("fn was called")))
	if failed, ok := errors.AsType[*auth.StoreError](err); !ok || failed.Op != "lease" {
		t.Errorf("M6 down: %v", err)
	}
	if refused, ok := errors.AsType[*net.OpError](err); !ok || refused.Op != "dial" {
		t.Errorf("M6 down: %v", err)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	seen := put(t, store, 0, "old").Version
	_, err = store.Update(t.Context(), alice, seen, func(context.Context, auth.Record) (auth.Record, error) {
		server.Close()
		return auth.Record{Data: []byte("new")}, server.Restart()
	})
	if got := load(t, store); err != nil || string(got.Data) != "new" {
		t.Errorf("M6 down and up again in the middle: %+v, %v", got, err)
	}
}

// TestSilence has a server that takes everything and says nothing.
func TestSilence(t *testing.T) {
	t.Parallel()
	for _, heeds := range []bool{false, true} {
		t.Run(fmt.Sprint("M6 ", heeds), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := redis.NewClient(&redis.Options{
					Addr: "127.0.0.1:6379", ContextTimeoutEnabled: heeds, Dialer: silent,
				})
				store := redisstore.New(client)
				for _, limit := range []time.Duration{time.Millisecond, time.Second} {
					ctx, cancel := context.WithTimeout(t.Context(), limit)
					began := time.Now()
					_, err := store.Update(ctx, alice, 0, returns(auth.Record{}, nil))
					failed, ok := errors.AsType[*auth.StoreError](err)
					if !ok || failed.Op != "lease" || !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v", err)
					}
					// A second is for the lease, which the server may have given without a word.
					if took := time.Since(began); took != limit+time.Second {
						t.Errorf("it took %v, a second more than the limit of %v is expected", took, limit)
					}
					cancel()
				}
				time.Sleep(5 * time.Minute) // the client gives up by itself
				if err := client.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// silent dials a server that reads and never answers.
func silent(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer func() { _ = server.Close() }()
		_, _ = io.Copy(io.Discard, server)
	}()
	return client, nil
}
