package rotation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// grant asks a [Server] for tokens.
type grant struct {
	client *http.Client
	url    string
	worker int
}

// Traits implements [auth.Grant].
func (*grant) Traits() auth.Traits { return auth.Traits{OneTime: true, Config: "rotation"} }

// Obtain implements [auth.Grant]: with a password if there is no token to renew.
func (g *grant) Obtain(ctx context.Context, prev *auth.Token) (*auth.Token, error) {
	form := url.Values{"grant_type": {"password"}}
	if prev != nil {
		form = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {prev.Refresh.Reveal()}}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Worker", strconv.Itoa(g.worker))
	resp, err := g.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var a answer
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&a); err != nil {
		return nil, err
	}
	if a.Error == "invalid_grant" {
		return nil, auth.ErrInvalidGrant
	}
	if a.Access == "" {
		return nil, fmt.Errorf("the token server answered %d", resp.StatusCode)
	}
	return &auth.Token{Value: secrets.Static(a.Access), Refresh: secrets.Static(a.Refresh)}, nil
}

// stored is a token as it is kept here. The padding makes records of many lengths, and the sum finds torn ones.
type stored struct {
	Access, Refresh, Padding, Sum string
}

func (s stored) sum() string {
	h := sha256.Sum256([]byte(s.Access + " " + s.Refresh + " " + s.Padding))
	return hex.EncodeToString(h[:])
}

var errTorn = errors.New("a record is torn")

// encode makes the data of a record.
func encode(t *auth.Token) ([]byte, error) {
	s := stored{Access: t.Value.Reveal(), Refresh: t.Refresh.Reveal()}
	s.Padding = strings.Repeat("=", number(s.Access)*977%20000)
	s.Sum = s.sum()
	return json.Marshal(s)
}

// decode returns the token of a record, nil if there is none, and an error if the record is torn.
func decode(rec auth.Record) (*auth.Token, error) {
	if rec.Version == 0 {
		return nil, nil //nolint:nilnil // nil is the token that Obtain takes for none
	}
	var s stored
	if err := json.Unmarshal(rec.Data, &s); err != nil || s.Sum != s.sum() {
		return nil, errTorn
	}
	return &auth.Token{Value: secrets.Static(s.Access), Refresh: secrets.Static(s.Refresh)}, nil
}

// number returns how many tokens had been issued with this one.
func number(access string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(access, "access-"))
	return n
}
