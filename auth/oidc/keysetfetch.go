package oidc

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/restconn/restconn/internal/tokencall"
)

const (
	mostKeySet = 256 << 10 // bytes
	mostKeys   = 100       // of a set; further ones are not looked at
)

var errNoKeySet = errors.New("the answer is not a set of keys (RFC 7517, section 5)")

// validate tells what is wrong with how keys are fetched.
func (s *keySet) validate() []error {
	calls := callConfig(s.endpoint)
	var faults []error
	u, err := parseTarget(s.url)
	if err := cmp.Or(err, checkTarget(calls, u)); err != nil {
		faults = append(faults, fmt.Errorf("oidc: JWKSURL: %w", err))
	}
	err = calls.Validate()
	if err == nil {
		var caller *tokencall.Caller
		if caller, err = tokencall.New(calls, nil); err == nil {
			err = caller.Close()
		}
	}
	if err != nil {
		faults = append(faults, fmt.Errorf("oidc: Endpoint: %w", err))
	}
	return faults
}

// fetch fetches the keys. They are as old as the request for them.
func (s *keySet) fetch(ctx context.Context) (*keys, error) {
	target, err := parseTarget(s.url)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	a, err := sendGet(ctx, s.endpoint, target, http.Header{"Accept": {"application/jwk-set+json, application/json"}})
	switch {
	case err != nil:
		return nil, err
	case a.Status != http.StatusOK:
		return nil, fmt.Errorf("the status is %d", a.Status)
	case len(a.Body) > mostKeySet:
		return nil, errors.New("the answer is larger than 256 KiB")
	}
	k, err := parseKeys(a.Body)
	if err != nil {
		return nil, err
	}
	k.fetched = began
	return k, nil
}

// parseKeys reads a set of keys. One that cannot be used is left out, and does no harm to the others.
func parseKeys(body []byte) (*keys, error) {
	m, err := parseMembers(body)
	if err != nil {
		return nil, errNoKeySet
	}
	d := json.NewDecoder(bytes.NewReader(m["keys"]))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, errNoKeySet
	}
	k := &keys{ids: make(map[string]bool)}
	for n := 0; n < mostKeys && d.More(); n++ {
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return nil, errNoKeySet
		}
		k.add(raw)
	}
	return k, nil
}

// add adds a key if it can be used, and notes its kid in any case.
func (k *keys) add(raw json.RawMessage) {
	m, err := parseMembers(raw)
	if err != nil {
		return
	}
	id, err := m.text("kid")
	if err != nil {
		return
	}
	if id != "" {
		k.ids[id] = true
	}
	if key, ok := m.publicKey(); ok {
		key.id = id
		k.usable = append(k.usable, key)
	}
}
