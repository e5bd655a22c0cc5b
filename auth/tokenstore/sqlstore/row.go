package sqlstore

import (
	"database/sql"
	"errors"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/fingerprint"
	"github.com/restconn/restconn/internal/redact"
)

// id returns the primary key of a row. A hash has no limit of length, no collation and no bytes that a text cannot
// have.
func id(key auth.Key) string { return fingerprint.Of(key.Connection, key.Config, key.Subject) }

// label returns a part of a key as people read it.
func label(part string) string { return redact.Line(part) }

// versionColumn is a version as a signed number of the same bits: it is compared, never ordered.
func versionColumn(v uint64) int64 { return int64(v) } //nolint:gosec // all bits are kept

// timeColumn is a time as RFC 3339 text, which no driver interprets and which keeps the nanoseconds; the zero time is
// NULL.
func timeColumn(t time.Time) (sql.NullString, error) {
	if t.IsZero() {
		return sql.NullString{}, nil
	}
	text, err := t.UTC().MarshalText()
	if err != nil {
		return sql.NullString{}, errors.New("RetryAt is a time after the year 9999")
	}
	return sql.NullString{String: string(text), Valid: true}, nil
}

// read is scan, and the zero Record if there is no row.
func read(row *sql.Row, more ...any) (auth.Record, error) {
	rec, err := scan(row, more...)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.Record{}, nil
	}
	return rec, err
}

// scan reads the columns of a record, and more that are behind them.
func scan(row *sql.Row, more ...any) (auth.Record, error) {
	var (
		rec     auth.Record
		version int64
		retryAt sql.NullString
	)
	if err := row.Scan(append([]any{&version, &rec.Data, &rec.InFlight, &retryAt}, more...)...); err != nil {
		return auth.Record{}, err
	}
	rec.Version = uint64(version) //nolint:gosec // all bits are kept
	if retryAt.Valid {
		if err := rec.RetryAt.UnmarshalText([]byte(retryAt.String)); err != nil {
			return auth.Record{}, &auth.StoreError{Op: "decode", Err: errors.New("the column retry_at holds no time")}
		}
	}
	return rec, nil
}
