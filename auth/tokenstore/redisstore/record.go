package redisstore

import (
	"errors"
	"strconv"
	"time"

	"github.com/restconn/restconn/auth"
)

// errAnswer says that a script returned what it cannot return.
var errAnswer = errors.New("redis answered a script with something else than its result")

// encode returns the arguments of the save script.
func encode(owner string, seen uint64, rec auth.Record) ([]any, error) {
	var retry []byte
	if !rec.RetryAt.IsZero() {
		var err error
		if retry, err = rec.RetryAt.UTC().MarshalText(); err != nil {
			return nil, errors.New("RetryAt is a time after the year 9999")
		}
	}
	inFlight := "0"
	if rec.InFlight {
		inFlight = "1"
	}
	version := func(v uint64) string { return strconv.FormatUint(v, 10) }
	return []any{owner, version(seen), version(rec.Version), rec.Data, inFlight, retry}, nil
}

// decode makes a record of the fields v, data, inflight and retry. If there is no v, there is no record.
func decode(fields []any) (auth.Record, error) {
	var text [4]string
	if len(fields) != len(text) {
		return auth.Record{}, errAnswer
	}
	for i, field := range fields {
		if field == nil {
			continue
		}
		var ok bool
		if text[i], ok = field.(string); !ok {
			return auth.Record{}, errAnswer
		}
	}
	if fields[0] == nil {
		return auth.Record{}, nil
	}
	version, err := strconv.ParseUint(text[0], 10, 64)
	if err != nil {
		return auth.Record{}, corrupt("v")
	}
	rec := auth.Record{Version: version, InFlight: text[2] == "1"}
	if text[1] != "" {
		rec.Data = []byte(text[1])
	}
	if text[3] != "" {
		if rec.RetryAt, err = time.Parse(time.RFC3339Nano, text[3]); err != nil {
			return auth.Record{}, corrupt("retry")
		}
	}
	return rec, nil
}

// corrupt says that a field is not what the store writes.
func corrupt(field string) error {
	return &auth.StoreError{Op: "decode", Err: errors.New("the field " + field + " of the hash is malformed")}
}
