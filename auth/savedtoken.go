package auth

import (
	"encoding/json"
	"errors"
	"maps"
	"time"

	"github.com/restconn/restconn/secrets"
)

// tokenFormat is the version of what is written below. A reader refuses what is newer.
const tokenFormat = 1

var errTokenFormat = errors.New("it was written by a newer version of this library")

// savedToken is a token as it is kept in a store.
type savedToken struct {
	Format        int               `json:"format"`
	Value         string            `json:"access_token"`
	Refresh       string            `json:"refresh_token,omitempty"`
	Expiry        time.Time         `json:"expiry,omitzero"`
	Obtained      time.Time         `json:"obtained,omitzero"`
	RenewableFrom time.Time         `json:"renewable_from,omitzero"`
	Scopes        []string          `json:"scopes,omitempty"`
	Extra         map[string]string `json:"extra,omitempty"`
}

// encodeToken returns t as it is kept. Members of the former record that this version does not know stay.
func encodeToken(t *Token, former []byte) ([]byte, error) {
	s := savedToken{
		Format: tokenFormat, Value: t.Value.Reveal(), Refresh: t.Refresh.Reveal(),
		Expiry: writable(t.Expiry), Obtained: writable(t.Obtained), RenewableFrom: writable(t.RenewableFrom),
		Scopes: t.Scopes,
	}
	for name, v := range t.Extra {
		if s.Extra == nil {
			s.Extra = make(map[string]string, len(t.Extra))
		}
		s.Extra[name] = v.Reveal()
	}
	text, err := json.Marshal(s) //nolint:gosec // this is where secrets are meant to go
	if err != nil {
		return nil, encodeError()
	}
	unknown := unknownMembers(former)
	if len(unknown) == 0 {
		return text, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, encodeError()
	}
	maps.Copy(members, unknown)
	if text, err = json.Marshal(members); err != nil {
		return nil, encodeError()
	}
	return text, nil
}

// writable returns t as JSON can hold it, which knows four digits of a year: a token is not lost for a time that
// never comes. The zero time, which stands for something else, comes of no other.
func writable(t time.Time) time.Time {
	earliest, latest := time.Unix(0, 0), time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)
	switch {
	case t.IsZero():
		return t
	case t.Before(earliest):
		t = earliest
	case t.After(latest):
		t = latest
	}
	return t.Round(0).UTC()
}

func encodeError() error {
	return &StoreError{Op: "encode", Err: errors.New("the token cannot be written")}
}

// unknownMembers returns what a record has beyond what this version writes.
func unknownMembers(data []byte) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if len(data) == 0 || json.Unmarshal(data, &members) != nil {
		return nil
	}
	for _, known := range []string{
		"format", "access_token", "refresh_token", "expiry", "obtained", "renewable_from", "scopes", "extra",
	} {
		delete(members, known)
	}
	return members
}

// decodeToken reads what encodeToken wrote. Its errors hold nothing of it.
func decodeToken(data []byte) (*Token, error) {
	var s savedToken
	if err := json.Unmarshal(data, &s); err != nil || s.Format < 1 {
		return nil, &StoreError{Op: "decode", Err: errors.New("the record is not a token")}
	}
	if s.Format > tokenFormat {
		return nil, &StoreError{Op: "decode", Err: errTokenFormat}
	}
	t := &Token{
		Value: secrets.Static(s.Value), Refresh: secrets.Static(s.Refresh),
		Expiry: s.Expiry, Obtained: s.Obtained, RenewableFrom: s.RenewableFrom, Scopes: s.Scopes,
	}
	for name, text := range s.Extra {
		if t.Extra == nil {
			t.Extra = make(map[string]secrets.Value, len(s.Extra))
		}
		t.Extra[name] = secrets.Static(text)
	}
	return t, nil
}
