package sqlstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fakeDB stands for a database: it knows the statements by their first words, and has the clock of the bubble. What SQL
// means is tested against real databases in internal/interop.
type fakeDB struct {
	// fail is asked before each statement. Its error is that of the driver.
	fail func(ctx context.Context, query string, args []driver.NamedValue) error
	// lost makes a statement work and its answer an error.
	lost func(query string) error

	open, most atomic.Int32 // connections in use by a statement, now and at most

	mu         sync.Mutex
	rows       map[string]*fakeRow
	statements []string
}

type fakeRow struct {
	version  int64
	data     []byte
	inFlight bool
	retryAt  any
	owner    string
	until    time.Time
}

// openFake returns a database that is closed after the test.
func openFake(t *testing.T) (*fakeDB, *sql.DB) {
	t.Helper()
	fake := &fakeDB{rows: make(map[string]*fakeRow)}
	db := sql.OpenDB(fake)
	t.Cleanup(func() { _ = db.Close() })
	return fake, db
}

// only returns the one row.
func (f *fakeDB) only(t *testing.T) *fakeRow {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, row := range f.rows {
		if len(f.rows) == 1 {
			return row
		}
	}
	t.Fatalf("there are %d rows", len(f.rows))
	return nil
}

func (f *fakeDB) Connect(context.Context) (driver.Conn, error) { return &fakeConn{f}, nil }
func (f *fakeDB) Driver() driver.Driver                        { return nil }

type fakeConn struct{ *fakeDB }

func (*fakeConn) Prepare(string) (driver.Stmt, error) {
	return nil, errors.New("a statement is prepared")
}
func (*fakeConn) Close() error              { return nil }
func (*fakeConn) Begin() (driver.Tx, error) { return nil, errors.New("a transaction is begun") }

func (c *fakeConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	rows, err := c.statement(ctx, query, args)
	return driver.RowsAffected(len(rows)), err
}

func (c *fakeConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.statement(ctx, query, args)
	return &fakeRows{rows: rows}, err
}

// statement carries out one statement.
func (c *fakeConn) statement(ctx context.Context, query string, args []driver.NamedValue) ([][]driver.Value, error) {
	c.most.Store(max(c.most.Load(), c.open.Add(1)))
	defer c.open.Add(-1)
	if c.fail != nil {
		if err := c.fail(ctx, query, args); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.statements = append(c.statements, query)
	rows := c.execute(query, args)
	if c.lost != nil {
		if err := c.lost(query); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (c *fakeConn) execute(query string, args []driver.NamedValue) [][]driver.Value {
	text := func(n int) string { s, _ := args[n-1].Value.(string); return s }
	number := func(n int) int64 { i, _ := args[n-1].Value.(int64); return i }
	now := time.Now()
	switch {
	case strings.HasPrefix(query, "SELECT") && strings.Contains(query, "lease_owner"):
		row := c.rows[text(1)]
		return row.columns(row != nil && row.owner != "" && row.owner != text(2) && row.until.After(now))
	case strings.HasPrefix(query, "SELECT"):
		return c.rows[text(1)].columns()
	case strings.HasPrefix(query, "INSERT"):
		row := c.rows[text(1)]
		if row == nil {
			row = &fakeRow{}
			c.rows[text(1)] = row
		}
		if row.owner != "" && row.owner != text(5) && row.until.After(now) {
			return nil
		}
		row.owner, row.until = text(5), now.Add(time.Duration(number(6))*time.Millisecond)
		return row.columns()
	case strings.HasPrefix(query, "UPDATE") && strings.Contains(query, "SET version"):
		data, _ := args[1].Value.([]byte)
		row := c.rows[text(5)]
		if row == nil || row.owner != text(6) || !row.until.After(now) {
			return nil
		}
		if row.version != number(7) && (row.version != number(1) || !bytes.Equal(row.data, data)) {
			return nil
		}
		inFlight, _ := args[2].Value.(bool)
		row.version, row.data, row.inFlight, row.retryAt = number(1), data, inFlight, args[3].Value
		return [][]driver.Value{nil}
	case strings.HasPrefix(query, "UPDATE"):
		row := c.rows[text(1)]
		if row == nil || row.owner != text(2) {
			return nil
		}
		row.owner = ""
		return [][]driver.Value{{row.version == 0 && !row.inFlight && row.retryAt == nil}}
	default:
		delete(c.rows, text(1))
		return nil
	}
}

func (r *fakeRow) columns(more ...driver.Value) [][]driver.Value {
	if r == nil {
		return nil
	}
	var data driver.Value
	if r.data != nil {
		data = r.data
	}
	return [][]driver.Value{append([]driver.Value{r.version, data, r.inFlight, r.retryAt}, more...)}
}

type fakeRows struct{ rows [][]driver.Value }

func (r *fakeRows) Columns() []string {
	if len(r.rows) == 0 {
		return nil
	}
	return make([]string, len(r.rows[0]))
}

func (*fakeRows) Close() error { return nil }

func (r *fakeRows) Next(dest []driver.Value) error {
	if len(r.rows) == 0 {
		return io.EOF
	}
	copy(dest, r.rows[0])
	r.rows = r.rows[1:]
	return nil
}

// quoting is an error that quotes what the statement was given, as bytes, as text and as hex.
func quoting(query string, args []driver.NamedValue) error {
	var text strings.Builder
	fmt.Fprintf(&text, "in %s:", query)
	for _, arg := range args {
		fmt.Fprintf(&text, " %v %s %x", arg.Value, arg.Value, arg.Value)
	}
	return errors.New(text.String())
}

// stateError has a code like those of pgx and pq.
type stateError struct {
	error

	state string
}

func (e *stateError) SQLState() string { return e.state }

// codeError has a code like those of modernc.org/sqlite.
type codeError struct {
	error

	code int
}

func (e *codeError) Code() int { return e.code }
