package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/wait"
)

// Error says that the database failed, or the way to it. It has nothing of the driver's text, and does not wrap its
// error: both may quote the row, and with it the token.
type Error struct {
	// Code is the SQLSTATE of PostgreSQL, or the result code of SQLite as a number, if the driver tells it through a
	// method SQLState() string or Code() int. It is empty otherwise.
	Code string
	// Err is the cause if it is the end of the context, or one of the network or of database/sql; otherwise nil.
	Err error

	kind string // the type of the driver's error
}

// Error implements error.
func (e *Error) Error() string {
	switch {
	case e.Err != nil && e.Code != "":
		return "the database failed: " + describe(e.Code) + ": " + e.Err.Error()
	case e.Err != nil:
		return "the database failed: " + e.Err.Error()
	case e.Code != "":
		return "the database failed: " + describe(e.Code)
	default:
		return "the database failed with a " + e.kind + ", whose text is left out: it may quote the token"
	}
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// scrub makes an [*Error] of what a driver reports. Errors of this module pass.
func scrub(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*auth.StoreError](err); ok {
		return err
	}
	if errors.Is(err, tokenstore.ErrLeaseLost) || errors.Is(err, ErrNewerSchema) {
		return err
	}
	clean := &Error{Code: code(err), Err: harmless(err), kind: fmt.Sprintf("%T", err)}
	if ctx.Err() != nil {
		clean.Err = wait.Ended(ctx)
	}
	return clean
}

// harmless returns what of err is known to quote nothing.
func harmless(err error) error {
	return redact.Cause(err, sql.ErrConnDone, sql.ErrTxDone, driver.ErrBadConn)
}

// code returns what the driver has for a code: for PostgreSQL pgx and pq have the first, for SQLite modernc.org/sqlite
// has the second. A code that is no code is left out.
func code(err error) string {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		if text := state.SQLState(); len(text) == 5 && strings.Trim(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
			return text
		}
	}
	var number interface{ Code() int }
	if errors.As(err, &number) {
		return strconv.Itoa(number.Code())
	}
	return ""
}

// describe says of a code what it is and what to do. Appendix A of the manual of PostgreSQL has the classes.
func describe(code string) string {
	if len(code) != 5 {
		return "SQLite result code " + code + hint(sqliteHint(code))
	}
	return "SQLSTATE " + code + hint(postgresHint(code))
}

func hint(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func postgresHint(code string) string {
	switch code {
	case "42P01", "3F000":
		return "the table does not exist: see Migrate"
	case "42703":
		return "the table lacks a column: see Migrate"
	case "42501":
		return "the user may not do that"
	case "25006":
		return "the server is read-only: the store needs the primary"
	case "26000", "42P05":
		return "prepared statements do not work here: turn them off in the driver"
	case "40001", "40P01", "55P03":
		return "locked by somebody else"
	case "57014":
		return "canceled"
	}
	switch code[:2] {
	case "08", "57":
		return "the connection ended"
	case "28":
		return "the login was refused"
	case "3D":
		return "the database does not exist"
	case "53":
		return "the server is short of something, such as connections or disk"
	default:
		return ""
	}
}

func sqliteHint(code string) string {
	switch primary(code) {
	case sqliteError:
		return "is the table there? See Migrate"
	case sqliteBusy, sqliteLocked:
		return "locked by somebody else: set a busy_timeout"
	case 8:
		return "the database is read-only"
	case 13:
		return "the disk is full"
	case 14:
		return "the file cannot be opened"
	default:
		return ""
	}
}

// Result codes of SQLite (https://sqlite.org/rescode.html).
const (
	sqliteError  = 1
	sqliteBusy   = 5
	sqliteLocked = 6
)

// primary returns the result code that an extended one belongs to.
func primary(code string) int {
	n, err := strconv.Atoi(code)
	if err != nil {
		return 0
	}
	return n & 0xff
}

// locked reports whether a statement did nothing because of another one. A driver of SQLite without a method Code is
// known by its words.
func locked(err error) bool {
	switch c := code(err); {
	case c == "40001" || c == "40P01" || c == "55P03":
		return true
	case len(c) == 5:
		return false
	case c != "":
		return primary(c) == sqliteBusy || primary(c) == sqliteLocked
	default:
		text := err.Error()
		return strings.Contains(text, "database is locked") || strings.Contains(text, "database table is locked")
	}
}
