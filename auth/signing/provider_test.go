package signing_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/signing"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const appSecret = "s3cret-of-the-app"

// shopline signs body and time in milliseconds.
func shopline(secret secrets.Provider) auth.Authenticator {
	return auth.All(
		auth.APIKey(secrets.Static("app-key-1"), auth.InHeader("Appkey")),
		signing.New(signing.Config{
			Secret:    secret,
			Message:   []signing.Part{signing.Body(), signing.Timestamp()},
			Timestamp: signing.TimestampField{Header: "Timestamp", Format: signing.UnixMilliseconds},
			Place:     []auth.PlaceOption{auth.InHeader("Sign")},
		}),
	)
}

func TestBodyAndTime(t *testing.T) {
	t.Parallel()
	bubble(t, "Q-070 the hex of an HMAC over body and time, in headers of their own", func(t *testing.T) {
		at(t, "2026-03-04T05:06:07Z")
		srv := connectiontest.NewServer(t, connectiontest.Status(200))
		conn := connectTo(t, srv, shopline(secrets.Static(appSecret)))
		const body = `{"code":"c-1"}`
		if err := request.Post(conn, "/token").Bytes("application/json", []byte(body)).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := srv.Requests()[0]
		const ms = "1772600767000"
		want := map[string]string{
			"Appkey": "app-key-1", "Timestamp": ms, "Sign": mac(appSecret, body+ms),
		}
		for name, value := range want {
			if diff := cmp.Diff([]string{value}, got.Header[name]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		if string(got.Body) != body {
			t.Errorf("body %q", got.Body)
		}
	})
}

// duo signs with HMAC-SHA1, and sends the signature as a password.
func duo(ikey string, skey secrets.Provider) auth.Authenticator {
	return signing.New(signing.Config{
		Secret:    skey,
		Algorithm: signing.HMAC(signing.SHA1),
		Message: []signing.Part{
			signing.Timestamp(), signing.Method(), signing.Host(), signing.Path(), signing.PartFunc(duoParams),
		},
		Separator: "\n",
		Timestamp: signing.TimestampField{Header: "Date", Format: "Mon, 02 Jan 2006 15:04:05 -0000"},
		User:      secrets.Static(ikey),
	})
}

// duoParams returns the sorted parameters, which a POST has in its body.
func duoParams(r *signing.Request) (string, error) {
	if r.Method() != "POST" {
		return signing.SortQuery(r.Query())
	}
	form, err := r.Body(0)
	if err != nil {
		return "", err
	}
	return signing.SortQuery(string(form))
}

func TestBasicPassword(t *testing.T) {
	t.Parallel()
	// The example in the documentation of Duo's API.
	const (
		ikey = "DIWJ8X6AEYOR5OMC6TQ1"
		skey = "Zh5eGmUq9zpfQnyUIu5OL9iWoMMv5ZNmk3zLJ4Ep"
		want = "Basic RElXSjhYNkFFWU9SNU9NQzZUUTE6MmQ5N2Q2MTY2MzE5NzgxYjVhM2EwN2FmMzlkMzY2ZjQ5MTIzNGVkYw=="
	)
	bubble(t, "Q-171 HMAC-SHA1 over date, method, host, path and sorted parameters", func(t *testing.T) {
		at(t, "2012-08-21T17:29:18Z")
		network := connectiontest.NewNetwork(t)
		srv := network.Serve("https://api-xxxxxxxx.duosecurity.com", connectiontest.Status(200))
		conn := connectTo(t, srv, duo(ikey, secrets.Static(skey)))
		form := url.Values{"username": {"root"}, "realname": {"First Last"}}
		b := request.Post(conn, "/accounts/v1/account/list").Body(request.Form(form))
		if err := b.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := srv.Requests()[0]
		if got.Header.Get("Authorization") != want {
			t.Errorf("got %q, want %q", got.Header.Get("Authorization"), want)
		}
		if got.Header.Get("Date") != "Tue, 21 Aug 2012 17:29:18 -0000" {
			t.Errorf("Date: %q", got.Header.Get("Date"))
		}
	})
	bubble(t, "Q-171 parameters of a GET are those of the query", func(t *testing.T) {
		at(t, "2012-08-21T17:29:18Z")
		req := newRequest(t, "GET", "https://api.test/admin/v1/users?username=root&limit=10&a=%7e+b", "")
		signed(t, duo(ikey, secrets.Static(skey)), req)
		h := hmac.New(sha1.New, []byte(skey))
		h.Write([]byte("Tue, 21 Aug 2012 17:29:18 -0000\nGET\napi.test\n/admin/v1/users\na=~%20b&limit=10&username=root"))
		user, password, _ := req.BasicAuth()
		if user != ikey || password != hex.EncodeToString(h.Sum(nil)) {
			t.Errorf("got %q and %q", user, password)
		}
	})
}

// avanan hashes the secret with the message.
func avanan(app string, secret secrets.Provider) auth.Authenticator {
	return signing.New(signing.Config{
		Secret: secret,
		Algorithm: signing.AlgorithmFunc("sha256", func(key secrets.Value, message []byte) ([]byte, error) {
			text := base64.StdEncoding.EncodeToString(append(message, key.Reveal()...))
			sum := sha256.Sum256([]byte(text))
			return sum[:], nil
		}),
		Message:   []signing.Part{signing.Nonce(), signing.Text(app), signing.Timestamp(), signing.Target()},
		Timestamp: signing.TimestampField{Header: "X-Av-Date", Format: "2006-01-02T15:04:05.000Z"},
		Nonce:     signing.NonceField{Header: "X-Av-Req-Id"},
		Place:     []auth.PlaceOption{auth.InHeader("X-Av-Sig")},
	})
}

func TestHashedSecret(t *testing.T) {
	t.Parallel()
	bubble(t, "Q-172 the hash of the base64 of nonce, app, date, path and secret", func(t *testing.T) {
		at(t, "2026-03-04T05:06:07Z")
		req := newRequest(t, "GET", "https://api.test/v1.0/event/query?x=1", "")
		signed(t, avanan("app-1", secrets.Static(appSecret)), req)
		const date = "2026-03-04T05:06:07.000Z"
		text := req.Header.Get("X-Av-Req-Id") + "app-1" + date + "/v1.0/event/query?x=1" + appSecret
		sum := sha256.Sum256([]byte(base64.StdEncoding.EncodeToString([]byte(text))))
		if got := req.Header.Get("X-Av-Sig"); got != hex.EncodeToString(sum[:]) {
			t.Errorf("signature %q", got)
		}
		if got := req.Header.Get("X-Av-Date"); got != date || len(req.Header.Get("X-Av-Req-Id")) < 20 {
			t.Errorf("headers %v", req.Header)
		}
	})
}

// oauth1 is OAuth 1.0 (RFC 5849), for requests without a form.
type oauth1 struct {
	realm, consumer, token string
	method                 string // of the signature
	hash                   func() hash.Hash
	key                    secrets.Provider // both secrets, escaped, with an ampersand between them
	nonce, timestamp       string           // those of the attempt, unless given
}

// sign is a signing.Func.
func (o oauth1) sign(ctx context.Context, r *signing.Request) error {
	key, err := o.key.Secret(ctx)
	if err != nil {
		return err
	}
	if o.nonce == "" {
		o.nonce = r.Nonce()
	}
	if o.timestamp == "" {
		o.timestamp = strconv.FormatInt(r.Time().Unix(), 10)
	}
	params := map[string]string{
		"oauth_consumer_key": o.consumer, "oauth_token": o.token, "oauth_nonce": o.nonce,
		"oauth_timestamp": o.timestamp, "oauth_signature_method": o.method,
	}
	all := []string{r.Query()}
	for name, value := range params {
		all = append(all, name+"="+signing.Escape(value))
	}
	sorted, err := signing.SortQuery(strings.Join(all, "&"))
	if err != nil {
		return err
	}
	signature := key.Reveal()
	if o.hash != nil {
		target, _, _ := strings.Cut(r.URL(), "?")
		h := hmac.New(o.hash, []byte(signature))
		h.Write([]byte(r.Method() + "&" + signing.Escape(target) + "&" + signing.Escape(sorted)))
		signature = base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	params["oauth_signature"] = signature
	line := []string{`OAuth realm="` + o.realm + `"`}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		line = append(line, name+`="`+signing.Escape(params[name])+`"`)
	}
	r.SetHeader("Authorization", strings.Join(line, ", "))
	return nil
}

func TestOAuth1(t *testing.T) {
	t.Parallel()
	line := func(t *testing.T, o oauth1, target string) string {
		t.Helper()
		return signed(t, signing.Func(o.sign), newRequest(t, "GET", target, "")).Header.Get("Authorization")
	}
	bubble(t, "Q-174 HMAC-SHA1 is that of the example in RFC 5849, section 1.2", func(t *testing.T) {
		o := oauth1{
			realm: "Photos", consumer: "dpf43f3p2l4k3l03", token: "nnch734d00sl2jdk", method: "HMAC-SHA1", hash: sha1.New,
			key: secrets.Static("kd94hf93k423kf44&pfkkdhi9sl3r4s00"), nonce: "chapoH", timestamp: "137131202",
		}
		want := `OAuth realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_nonce="chapoH", ` +
			`oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D", oauth_signature_method="HMAC-SHA1", ` +
			`oauth_timestamp="137131202", oauth_token="nnch734d00sl2jdk"`
		got := line(t, o, "http://photos.example.net/photos?file=vacation.jpg&size=original")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Authorization (-want +got):\n%s", diff)
		}
	})
	bubble(t, "Q-174 HMAC-SHA256 with the account as realm", func(t *testing.T) {
		at(t, "2026-03-04T05:06:07Z")
		o := oauth1{
			realm: "123_SB1", consumer: "ck", token: "tk", method: "HMAC-SHA256",
			hash: sha256.New, key: secrets.Static("cs&ts"), nonce: "n",
		}
		base := "GET&https%3A%2F%2F123-sb1.suitetalk.api.netsuite.com%2Fservices%2Frest%2Fx&" +
			"limit%3D2%26oauth_consumer_key%3Dck%26oauth_nonce%3Dn%26oauth_signature_method%3DHMAC-SHA256" +
			"%26oauth_timestamp%3D1772600767%26oauth_token%3Dtk"
		h := hmac.New(sha256.New, []byte("cs&ts"))
		h.Write([]byte(base))
		want := `OAuth realm="123_SB1", oauth_consumer_key="ck", oauth_nonce="n", oauth_signature="` +
			signing.Escape(base64.StdEncoding.EncodeToString(h.Sum(nil))) + `", oauth_signature_method="HMAC-SHA256", ` +
			`oauth_timestamp="1772600767", oauth_token="tk"`
		got := line(t, o, "https://123-sb1.suitetalk.api.netsuite.com/services/rest/x?limit=2")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Authorization (-want +got):\n%s", diff)
		}
	})
	bubble(t, "Q-175 PLAINTEXT", func(t *testing.T) {
		at(t, "2026-03-04T05:06:07Z")
		o := oauth1{consumer: "ck", token: "tk", method: "PLAINTEXT", key: secrets.Static("c%20s&ts"), nonce: "n"}
		want := `OAuth realm="", oauth_consumer_key="ck", oauth_nonce="n", oauth_signature="c%2520s%26ts", ` +
			`oauth_signature_method="PLAINTEXT", oauth_timestamp="1772600767", oauth_token="tk"`
		if diff := cmp.Diff(want, line(t, o, "https://api.test/api/v2!authuser")); diff != "" {
			t.Errorf("Authorization (-want +got):\n%s", diff)
		}
	})
}
