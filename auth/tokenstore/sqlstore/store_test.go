package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/auth/tokenstore/sqlstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var alice = auth.Key{Connection: "payments", Config: "c1", Subject: "alice"}

const canary = "canary-7f3a-refresh-token"

func returns(rec auth.Record, err error) func(context.Context, auth.Record) (auth.Record, error) {
	return func(context.Context, auth.Record) (auth.Record, error) { return rec, err }
}

func TestValidate(t *testing.T) {
	t.Parallel()
	_, db := openFake(t)
	tests := []struct {
		name  string
		store auth.TokenStore
		want  []string
	}{
		{name: "fine", store: sqlstore.New(db, sqlstore.SQLite())},
		{
			name:  "options",
			store: sqlstore.New(db, sqlstore.PostgreSQL(), sqlstore.Table("Auth.tokens_2"), sqlstore.Lease(time.Minute)),
		},
		{
			name: "everything is wrong", store: sqlstore.New(nil, sqlstore.Dialect{}, sqlstore.Table("")),
			want: []string{"database is nil", "dialect is not set", "name of the table"},
		},
		{
			name: "a quote", store: sqlstore.New(db, sqlstore.SQLite(), sqlstore.Table(`a"b`)),
			want: []string{"name of the table"},
		},
		{
			name: "two dots", store: sqlstore.New(db, sqlstore.SQLite(), sqlstore.Table("a.b.c")),
			want: []string{"name of the table"},
		},
		{
			name: "a line", store: sqlstore.New(db, sqlstore.SQLite(), sqlstore.Table("a\n")),
			want: []string{"name of the table"},
		},
		{
			name: "a long name", store: sqlstore.New(db, sqlstore.SQLite(), sqlstore.Table(strings.Repeat("a", 49))),
			want: []string{"name of the table"},
		},
		{name: "a nil option", store: sqlstore.New(db, sqlstore.SQLite(), nil), want: []string{"option is nil"}},
		{
			name: "a short lease", store: sqlstore.New(db, sqlstore.SQLite(), sqlstore.Lease(time.Millisecond)),
			want: []string{"lease"},
		},
		{name: "an option is nil", store: sqlstore.New(db, sqlstore.SQLite(), nil), want: []string{"option is nil"}},
	}
	for _, tt := range tests {
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
}

// TestInvalid uses a store that nobody has validated.
func TestInvalid(t *testing.T) {
	t.Parallel()
	store := sqlstore.New(nil, sqlstore.SQLite())
	_, err := store.Load(t.Context(), alice)
	if _, ok := errors.AsType[*auth.StoreError](err); !ok {
		t.Errorf("Load: %v", err)
	}
	err = sqlstore.Migrate(t.Context(), nil, sqlstore.Dialect{}, "")
	if err == nil || !strings.Contains(err.Error(), "dialect") {
		t.Errorf("Migrate: %v", err)
	}
}

func TestLease(t *testing.T) {
	t.Parallel()
	_, db := openFake(t)
	for want, store := range map[time.Duration]auth.TokenStore{
		tokenstore.DefaultLease: sqlstore.New(db, sqlstore.SQLite(), sqlstore.Table("t")),
		time.Minute:             sqlstore.New(db, sqlstore.SQLite(), sqlstore.Lease(time.Minute)),
	} {
		if got := store.(auth.Leaser).Lease(); got != want {
			t.Errorf("Lease: %v, want %v", got, want)
		}
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, db := openFake(t)
		store := sqlstore.New(db, sqlstore.PostgreSQL())
		rec, err := store.Update(t.Context(), alice, 0, returns(auth.Record{Data: []byte{0, 1, 0xff}}, nil))
		if err != nil {
			t.Fatal(err)
		}
		got, err := store.Load(t.Context(), alice)
		if err != nil || !cmp.Equal(got, rec) {
			t.Errorf("Load: %+v, %v, want %+v", got, err, rec)
		}
		row := fake.only(t)
		row.version, row.data, row.inFlight = -2, nil, true
		row.retryAt = "2026-01-02T03:04:05.000000006+01:00"
		want := auth.Record{
			Version: 1<<64 - 2, InFlight: true,
			RetryAt: time.Date(2026, 1, 2, 2, 4, 5, 6, time.UTC),
		}
		if got, err := store.Load(t.Context(), alice); err != nil || !got.RetryAt.Equal(want.RetryAt) ||
			got.Version != want.Version || got.Data != nil || !got.InFlight {
			t.Errorf("Load: %+v, %v, want %+v", got, err, want)
		}
		// The bits of a large version make the way back.
		if _, err := store.Update(t.Context(), alice, 1<<64-2, returns(auth.Record{}, nil)); err != nil {
			t.Errorf("Update: %v", err)
		}
		if row.version != -1 {
			t.Errorf("the version is %d", row.version)
		}
	})
}

// TestMalformed has a row that somebody else wrote.
func TestMalformed(t *testing.T) {
	t.Parallel()
	fake, db := openFake(t)
	store := sqlstore.New(db, sqlstore.SQLite())
	if _, err := store.Update(t.Context(), alice, 0, returns(auth.Record{Data: []byte(canary)}, nil)); err != nil {
		t.Fatal(err)
	}
	fake.only(t).retryAt = canary
	_, err := store.Load(t.Context(), alice)
	failed, ok := errors.AsType[*auth.StoreError](err)
	if !ok || failed.Op != "decode" || strings.Contains(err.Error(), canary) {
		t.Errorf("M2: %v", err)
	}
}

// TestQuotes has a driver whose errors quote all that a statement was given.
func TestQuotes(t *testing.T) {
	t.Parallel()
	kinds := map[string]struct {
		wrap func(error) error
		want string
	}{
		"no code":  {wrap: func(err error) error { return err }, want: "*errors.errorString"},
		"SQLSTATE": {wrap: func(err error) error { return &stateError{err, "23514"} }, want: "SQLSTATE 23514"},
		"wrapped": {
			wrap: func(err error) error { return fmt.Errorf("%w: %w", err, &stateError{err, "53100"}) },
			want: "short of something",
		},
		"no SQLSTATE": {
			wrap: func(err error) error { return &stateError{err, canary[:5]} },
			want: "*sqlstore_test.stateError",
		},
		"SQLite": {wrap: func(err error) error { return &codeError{err, 13} }, want: "disk is full"},
	}
	for name, kind := range kinds {
		t.Run("S47 "+name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake, db := openFake(t)
				saving := false
				fake.fail = func(_ context.Context, query string, args []driver.NamedValue) error {
					if !saving {
						return nil
					}
					return kind.wrap(quoting(query, args))
				}
				store := sqlstore.New(db, sqlstore.PostgreSQL())
				rec, err := store.Update(t.Context(), alice, 0, func(context.Context, auth.Record) (auth.Record, error) {
					saving = true
					return auth.Record{Data: []byte(canary)}, nil
				})
				if string(rec.Data) != canary {
					t.Error("the token that could not be saved is lost")
				}
				failed, ok := errors.AsType[*auth.StoreError](err)
				if !ok || failed.Op != "save" || !strings.Contains(err.Error(), kind.want) {
					t.Errorf("got %v, want a StoreError with %q", err, kind.want)
				}
				for _, text := range texts(err) {
					if strings.Contains(text, canary[:5]) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
						t.Errorf("an error quotes the token: %s", text)
					}
				}
			})
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

func TestCauses(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for _, tt := range []struct {
		name   string
		driver error
		want   error
		code   string
		text   string
	}{
		{name: "M6 down", driver: fmt.Errorf("connect: %w", refused), want: refused, text: "connection refused"},
		{name: "cut", driver: fmt.Errorf("read: %w", io.ErrUnexpectedEOF), want: io.ErrUnexpectedEOF},
		{name: "closed", driver: sql.ErrConnDone, want: sql.ErrConnDone},
		{name: "no table", driver: &stateError{errors.New("x"), "42P01"}, code: "42P01", text: "see Migrate"},
		{name: "no table in SQLite", driver: &codeError{errors.New("x"), 1}, code: "1", text: "See Migrate"},
		{name: "a replica", driver: &stateError{errors.New("x"), "25006"}, code: "25006", text: "primary"},
		{name: "login", driver: &stateError{errors.New("x"), "28P01"}, code: "28P01", text: "login was refused"},
		{name: "an extended code", driver: &codeError{errors.New("x"), 8 | 3<<8}, code: "776", text: "read-only"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake, db := openFake(t)
			fake.fail = func(context.Context, string, []driver.NamedValue) error { return tt.driver }
			_, err := sqlstore.New(db, sqlstore.PostgreSQL()).Load(t.Context(), alice)
			failed, ok := errors.AsType[*sqlstore.Error](err)
			if !ok || failed.Code != tt.code || !errors.Is(failed.Err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestContext has a database that does not answer.
func TestContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, db := openFake(t)
		fake.fail = func(ctx context.Context, _ string, _ []driver.NamedValue) error {
			<-ctx.Done()
			return errors.New("canceled by the user") // as some drivers say
		}
		store := sqlstore.New(db, sqlstore.PostgreSQL())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := store.Load(ctx, alice)
		if _, ok := errors.AsType[*auth.StoreError](err); !ok || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("M6 slow: %v", err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// TestLocked has a database that others have locked.
func TestLocked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		err    error
		repeat bool
	}{
		{name: "SQLite", err: &codeError{errors.New("x"), 5}, repeat: true},
		{name: "SQLite, extended", err: &codeError{errors.New("x"), 5 | 2<<8}, repeat: true},
		{name: "SQLite, in words", err: errors.New("database is locked"), repeat: true},
		{name: "PostgreSQL", err: &stateError{errors.New("x"), "40001"}, repeat: true},
		{name: "something else", err: &stateError{errors.New("database is locked"), "23505"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake, db := openFake(t)
				asked, ends := 0, 3
				fake.fail = func(context.Context, string, []driver.NamedValue) error {
					asked++
					if asked <= ends {
						return tt.err
					}
					return nil
				}
				store := sqlstore.New(db, sqlstore.SQLite())
				if _, err := store.Load(t.Context(), alice); (err == nil) != tt.repeat {
					t.Errorf("Load: %v", err)
				}
				if asked > 1 != tt.repeat {
					t.Errorf("asked %d times", asked)
				}
				ends = 1 << 30
				began := time.Now()
				if _, err := store.Load(t.Context(), alice); err == nil {
					t.Error("locked for ever, and no error")
				}
				if took := time.Since(began); took > 11*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// TestLostAnswer saves, and the answer is lost.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, db := openFake(t)
		store := sqlstore.New(db, sqlstore.PostgreSQL())
		rec, err := store.Update(t.Context(), alice, 0, func(context.Context, auth.Record) (auth.Record, error) {
			lost := 0
			fake.lost = func(string) error {
				lost++
				if lost == 1 {
					return io.ErrUnexpectedEOF
				}
				return nil
			}
			return auth.Record{Data: []byte("new")}, nil
		})
		if err != nil {
			t.Errorf("M6 a saved token is reported as lost: %v", err)
		}
		if got, err := store.Load(t.Context(), alice); err != nil || !cmp.Equal(got, rec) {
			t.Errorf("Load: %+v, %v", got, err)
		}
	})
}

// TestCrashed has a holder that died.
func TestCrashed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, db := openFake(t)
		store := sqlstore.New(db, sqlstore.SQLite())
		block := make(chan struct{})
		var others sync.WaitGroup
		others.Go(func() {
			_, err := store.Update(context.Background(), alice, 0, func(context.Context, auth.Record) (auth.Record, error) {
				<-block
				return auth.Record{Data: []byte("too late")}, nil
			})
			if _, ok := errors.AsType[*auth.StoreError](err); !ok {
				t.Errorf("M7 the late one: %v", err)
			}
		})
		synctest.Wait()
		began := time.Now()
		rec, err := store.Update(t.Context(), alice, 0, func(_ context.Context, cur auth.Record) (auth.Record, error) {
			if !cur.InFlight {
				t.Error("nothing tells that an exchange was begun")
			}
			return auth.Record{Data: []byte("new")}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < tokenstore.DefaultLease || took > tokenstore.DefaultLease+time.Second {
			t.Errorf("the lease was had after %v", took)
		}
		close(block)
		others.Wait()
		if got, err := store.Load(t.Context(), alice); err != nil || !cmp.Equal(got, rec) {
			t.Errorf("M8 the record is %+v, %v", got, err)
		}
	})
}

// TestConnections has a pool of one connection.
func TestConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, db := openFake(t)
		db.SetMaxOpenConns(1)
		store := sqlstore.New(db, sqlstore.PostgreSQL())
		var all sync.WaitGroup
		var mu sync.Mutex
		calls := 0
		for range 8 {
			all.Go(func() {
				_, err := store.Update(t.Context(), alice, 0, func(ctx context.Context, _ auth.Record) (auth.Record, error) {
					mu.Lock()
					calls++
					mu.Unlock()
					time.Sleep(time.Second) // the exchange
					_, err := store.Load(ctx, alice)
					return auth.Record{Data: []byte("new")}, err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if calls != 1 {
			t.Errorf("S50 there were %d exchanges", calls)
		}
		if most := fake.most.Load(); most != 1 {
			t.Errorf("%d connections were used at once", most)
		}
	})
}

// TestRows looks at what is left in the table.
func TestRows(t *testing.T) {
	t.Parallel()
	fake, db := openFake(t)
	store := sqlstore.New(db, sqlstore.SQLite())
	reason := errors.New("no")
	if _, err := store.Update(t.Context(), alice, 0, returns(auth.Record{}, reason)); !errors.Is(err, reason) {
		t.Error(err)
	}
	if len(fake.rows) != 0 {
		t.Error("a row without a token is left")
	}
	retryAt := time.Now().Add(time.Hour)
	later := auth.Record{RetryAt: retryAt}
	if _, err := store.Update(t.Context(), alice, 0, returns(later, reason)); !errors.Is(err, reason) {
		t.Error(err)
	}
	if got, err := store.Load(t.Context(), alice); err != nil || !got.RetryAt.Equal(retryAt) {
		t.Errorf("Load: %+v, %v", got, err)
	}
	far := auth.Record{RetryAt: time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)}
	if _, err := store.Update(t.Context(), alice, 0, returns(far, reason)); !errors.Is(err, reason) {
		t.Error(err)
	}
	for _, query := range fake.statements {
		if strings.Contains(query, "$") || strings.Contains(query, "{") {
			t.Errorf("not for SQLite: %s", query)
		}
	}
}
