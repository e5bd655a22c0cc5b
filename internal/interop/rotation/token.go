package rotation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/secrets"
)

const (
	workerHeader  = "Worker"
	accessFormat  = "access-%d-%d" // of which login, and how many tokens had been issued with this one
	refreshFormat = "refresh-%d-%d"
)

// named tells the server which worker asks. It is not in [oauth2flow.Client].Header, because that is part of the
// configuration, by which tokens are kept apart.
type named struct {
	http.RoundTripper

	worker int
}

func (n named) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set(workerHeader, strconv.Itoa(n.worker))
	return n.RoundTripper.RoundTrip(req)
}

// client is the client that all workers are to a [Server].
func client(url string, worker int, transport http.RoundTripper) oauth2flow.Client {
	return oauth2flow.Client{
		ID: "fleet", TokenURL: url,
		Endpoint: auth.Endpoint{Client: &http.Client{Transport: named{transport, worker}}},
	}
}

// login is the grant that a user would be asked for.
func login(c oauth2flow.Client) auth.Grant {
	return oauth2flow.Password(c, oauth2flow.ResourceOwner{
		Username: "owner", Password: secrets.Static("password"), AcceptRisk: true,
	})
}

// saved is a token as a manager keeps it.
type saved struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Extra   struct {
		Padding, Sum, Issued string
	} `json:"extra"`
}

func sum(access, refresh, padding string) string {
	h := sha256.Sum256([]byte(access + " " + refresh + " " + padding))
	return hex.EncodeToString(h[:])
}

var errTorn = errors.New("a record is torn")

// decode returns the token of a record, which has one, and an error if the record is torn.
func decode(rec auth.Record) (saved, error) {
	var s saved
	if json.Unmarshal(rec.Data, &s) != nil || s.Extra.Sum != sum(s.Access, s.Refresh, s.Extra.Padding) {
		return saved{}, errTorn
	}
	return s, nil
}

// age returns how long ago the server sent the token.
func (s saved) age() time.Duration {
	n, _ := strconv.ParseInt(s.Extra.Issued, 10, 64)
	return time.Since(time.Unix(0, n))
}

// numbers returns what is in the text of an access token.
func numbers(access string) (login, number int) {
	_, _ = fmt.Sscanf(access, accessFormat, &login, &number)
	return login, number
}
