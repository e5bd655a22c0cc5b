package conformance_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/signing"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

func TestProvidersSigned(t *testing.T) {
	t.Parallel()
	runProviders(t, signedProviders())
}

// signedProviders are the rows about tokens that are made here, and about requests that are signed.
func signedProviders() []provider {
	return slices.Concat(selfSigned(), assertions(), clientAssertions(), assertedLogins(), signedRequests(),
		oauth1Requests())
}

// sharedText is long enough for HS256.
const sharedText = "heymarket+secret/of-32-bytes-canary=="

// The keys of the rows.
var (
	rsaKey = sync.OnceValue(func() crypto.Signer { return sure(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey  = sync.OnceValue(func() crypto.Signer { return sure(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	edKey  = sync.OnceValue(func() crypto.Signer { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)) })
)

func sure[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// keyPEM is a private key as it stands in a file.
func keyPEM(key crypto.Signer) string {
	der := sure(x509.MarshalPKCS8PrivateKey(key))
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func private(key crypto.Signer) oauth2flow.Key {
	return oauth2flow.PrivateKey(secrets.Static(keyPEM(key)))
}

// signedBy verifies tokens with the algorithm and the key, and returns their header and claims as JSON, with a dot
// between them. A jti is there as an asterisk.
func signedBy(alg jose.SignatureAlgorithm, key any) func(s *scene, text string) string {
	return func(s *scene, text string) string {
		s.Helper()
		token, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{alg})
		s.NoError(err)
		payload, err := token.Verify(key)
		s.NoError(err)
		header, _, _ := strings.Cut(text, ".")
		headers, err := base64.RawURLEncoding.DecodeString(header)
		s.NoError(err)
		return sorted(s, headers) + "." + sorted(s, payload)
	}
}

// sorted returns an object with its members in order.
func sorted(s *scene, text []byte) string {
	s.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var members map[string]any
	s.NoError(d.Decode(&members))
	if id, _ := members["jti"].(string); len(id) >= 16 {
		members["jti"] = "*"
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	s.NoError(e.Encode(members))
	return strings.TrimSpace(b.String())
}

// A bubble begins at 946684800.
func selfSigned() []provider {
	self := func(j oauth2flow.JWT) opener { return bearing(oauth2flow.SelfSigned(j)) }
	der := sure(x509.MarshalPKIXPublicKey(rsaKey().Public()))
	sum := sha256.Sum256(der)
	name := "ORG-ACC.ANN.SHA256:" + base64.StdEncoding.EncodeToString(sum[:])
	return []provider{
		{
			id: "Q-160", what: "Heymarket: HS256 with the secret as UTF-8 text, a token for each five minutes",
			lives: 3 * time.Minute, secrets: []string{sharedText},
			open: self(oauth2flow.JWT{
				Key: oauth2flow.SharedSecret(secrets.Static(sharedText)), Issuer: "team-7", Lifetime: 5 * time.Minute,
				Claims: map[string]any{"user": map[string]any{"email": "ann@acme"}},
			}),
			jwt:   signedBy(jose.HS256, []byte(sharedText)),
			calls: 4, pause: 2 * time.Minute, // the third call begins to sign the next, behind it, and the fourth has it
			want: []message{
				heymarket("946685100", "946684800"), heymarket("946685100", "946684800"), heymarket("946685100", "946684800"),
				heymarket("946685340", "946685040"),
			},
		},
		{
			id: "Q-161", what: "App Store Connect: ES256, kid, 15 minutes", lives: 15 * time.Minute,
			open: self(oauth2flow.JWT{
				Key: private(ecKey()), KeyID: "2X9R4HXF34", Issuer: "57246542-96fe",
				Audience: []string{"appstoreconnect-v1"}, Lifetime: 15 * time.Minute,
			}),
			jwt: signedBy(jose.ES256, ecKey().Public()),
			want: []message{sends("GET /x", `Authorization: Bearer {"alg":"ES256","kid":"2X9R4HXF34","typ":"JWT"}.`+
				`{"aud":"appstoreconnect-v1","exp":946685700,"iat":946684800,"iss":"57246542-96fe","jti":"*"}`)},
		},
		{
			id: "Q-162", what: "Snowflake: RS256, the fingerprint of the key in iss, the type in a header", lives: time.Hour,
			open: func(s *scene) []connection.Option {
				key := private(rsaKey())
				fingerprint, err := key.Fingerprint(s.ctx())
				s.NoError(err)
				return self(oauth2flow.JWT{
					Key: key, Issuer: "ORG-ACC.ANN.SHA256:" + fingerprint, Subject: "ORG-ACC.ANN", Lifetime: time.Hour,
				}).and(connection.WithHeader("X-Snowflake-Authorization-Token-Type", "KEYPAIR_JWT"))(s)
			},
			jwt: signedBy(jose.RS256, rsaKey().Public()),
			want: []message{sends("GET /x", "X-Snowflake-Authorization-Token-Type: KEYPAIR_JWT",
				`Authorization: Bearer {"alg":"RS256","typ":"JWT"}.`+
					`{"exp":946688400,"iat":946684800,"iss":"`+name+`","jti":"*","sub":"ORG-ACC.ANN"}`)},
		},
	}
}

func heymarket(exp, iat string) message {
	return sends("GET /x", `Authorization: Bearer {"alg":"HS256","typ":"JWT"}.{"exp":`+exp+`,"iat":`+iat+
		`,"iss":"team-7","jti":"*","user":{"email":"ann@acme"}}`)
}

// jwtBearer is how a form names the grant of an assertion.
const jwtBearer = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"

func assertions() []provider {
	get := []message{sends("GET /x", bearerLine)}
	anybody := oauth2flow.Client{TokenURL: authOrigin + "/token"}
	const head = `{"alg":"RS256","kid":"key-7","typ":"JWT"}.`
	google := oauth2flow.JWT{
		Key: private(rsaKey()), KeyID: "key-7", Issuer: "svc@acme.iam.test", Audience: []string{authOrigin + "/token"},
		Lifetime: time.Hour, NoID: true, Claims: map[string]any{"scope": "https://www.test/auth/drive openid"},
	}
	const claims = `{"aud":"` + authOrigin + `/token","exp":946688400,"iat":946684800,"iss":"svc@acme.iam.test",` +
		`"scope":"https://www.test/auth/drive openid"`
	delegated := google
	delegated.Subject = "ann@acme.test"
	rs256 := signedBy(jose.RS256, rsaKey().Public())
	saml := base64.RawURLEncoding.EncodeToString([]byte("<saml2:Assertion>canary</saml2:Assertion>"))
	return []provider{
		{
			id: "Q-163", what: "Google: an assertion with a scope, and without a client", lives: time.Hour,
			open: bearing(oauth2flow.Assertion(anybody, oauth2flow.JWTBearer, google)), want: get, jwt: rs256,
			peers: idp(oneHour(), tokenCall("POST /token", "assertion="+head+claims+"}&"+jwtBearer)),
		},
		{
			id: "Q-163", what: "Google: an assertion for a user of the domain", lives: time.Hour,
			open: bearing(oauth2flow.Assertion(anybody, oauth2flow.JWTBearer, delegated)), want: get, jwt: rs256,
			peers: idp(oneHour(), tokenCall("POST /token", "assertion="+head+claims+`,"sub":"ann@acme.test"}&`+jwtBearer)),
		},
		{
			id: "Q-164", what: "ServiceNow: aud is the client id, and id and secret are in the body", lives: time.Hour,
			open: bearing(oauth2flow.Assertion(app(), oauth2flow.JWTBearer, oauth2flow.JWT{
				Key: private(rsaKey()), KeyID: "key-7", Issuer: "client-7", Subject: "ann@acme", Audience: []string{"client-7"},
			})),
			want: get, jwt: rs256,
			peers: idp(oneHour(), tokenCall("POST /token", "assertion="+head+`{"aud":"client-7","exp":946684860,`+
				`"iat":946684800,"iss":"client-7","jti":"*","sub":"ann@acme"}&`+inBody+"&"+jwtBearer)),
		},
		{
			id: "Q-168", what: "SuccessFactors: an assertion of SAML, and the company", lives: time.Hour,
			open: bearing(oauth2flow.Assertion(app(func(c *oauth2flow.Client) {
				c.Secret, c.Params = nil, oauth2flow.Params{{Name: "company_id", Value: "acme"}}
			}), oauth2flow.SAMLBearer, secrets.Static(saml))),
			want: get, secrets: []string{saml},
			peers: idp(oneHour(), tokenCall("POST /token", "assertion="+saml+"&client_id=client-7&company_id=acme"+
				"&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Asaml2-bearer")),
		},
	}
}

// proof is how a form says of what kind the proof of the client is.
const proof = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"

func clientAssertions() []provider {
	get := []message{sends("GET /x", bearerLine)}
	asserted := func(key crypto.Signer, opts ...oauth2flow.AssertionOption) opener {
		return bearing(oauth2flow.ClientCredentials(app(func(c *oauth2flow.Client) {
			c.Secret, c.Auth = nil, oauth2flow.PrivateKeyJWT(private(key), opts...)
		})))
	}
	const claims = `{"aud":"` + authOrigin + `/token","exp":946684860,"iat":946684800,"iss":"client-7","jti":"*",`
	certificate := selfSignedDER()
	sum := sha256.Sum256(certificate)
	x5t := sure(oauth2flow.X5TS256(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})))
	return []provider{
		{
			id: "Q-165", what: "NetSuite: the certificate as kid, the scopes as claim, no client_id", lives: time.Hour,
			open: asserted(rsaKey(), oauth2flow.AssertionKeyID("cert-7"), oauth2flow.OmitClientID(),
				oauth2flow.AssertionClaim("scope", []string{"restlets", "rest_webservices"})),
			want: get, jwt: signedBy(jose.RS256, rsaKey().Public()),
			peers: idp(oneHour(), tokenCall("POST /token", `client_assertion={"alg":"RS256","kid":"cert-7","typ":"JWT"}.`+
				claims+`"scope":["restlets","rest_webservices"],"sub":"client-7"}&`+proof+"&grant_type=client_credentials")),
		},
		{
			id: "Q-166", what: "Microsoft: PS256, and the hash of the certificate in x5t#S256", lives: time.Hour,
			open: asserted(rsaKey(), oauth2flow.AssertionAlgorithm("PS256"), oauth2flow.AssertionHeader("x5t#S256", x5t)),
			want: get, jwt: signedBy(jose.PS256, rsaKey().Public()),
			peers: idp(oneHour(), tokenCall("POST /token", `client_assertion={"alg":"PS256","typ":"JWT","x5t#S256":"`+
				base64.RawURLEncoding.EncodeToString(sum[:])+`"}.`+claims+`"sub":"client-7"}&`+proof+
				"&client_id=client-7&grant_type=client_credentials")),
		},
		{
			id: "Q-167", what: "Apple Business: ES256, for five minutes where it may be 180 days", lives: time.Hour,
			open: asserted(ecKey(), oauth2flow.AssertionKeyID("key-7"), oauth2flow.AssertionLifetime(5*time.Minute),
				oauth2flow.AssertionAudience("https://account.apple.test/auth/oauth2/v2/token")),
			want: get, jwt: signedBy(jose.ES256, ecKey().Public()),
			peers: idp(oneHour(), tokenCall("POST /token", `client_assertion={"alg":"ES256","kid":"key-7","typ":"JWT"}.`+
				`{"aud":"https://account.apple.test/auth/oauth2/v2/token","exp":946685100,"iat":946684800,`+
				`"iss":"client-7","jti":"*","sub":"client-7"}&`+proof+"&client_id=client-7&grant_type=client_credentials")),
		},
	}
}

// selfSignedDER is a certificate of the RSA key.
func selfSignedDER() []byte {
	template := &x509.Certificate{SerialNumber: big.NewInt(7)}
	return sure(x509.CreateCertificate(rand.Reader, template, template, rsaKey().Public(), rsaKey()))
}

// assertedLogins have a token that is made here among the values of a login.
func assertedLogins() []provider {
	const tenantOrigin = "https://tenant7.example.test"
	get := []message{sends("GET /x", bearerLine)}
	rs256 := signedBy(jose.RS256, rsaKey().Public())
	asserting := func(cfg login.Config, j oauth2flow.JWT, steps ...login.Step) login.Config {
		cfg = with(cfg)
		j.Key = private(rsaKey())
		cfg.Secrets["assertion"], cfg.Steps = j, steps
		return cfg
	}
	revolut := asserting(until("body.access_token", "body.expires_in"), oauth2flow.JWT{
		Issuer: "app.acme.test", Subject: "client-7", Audience: []string{"https://revolut.com"}, Lifetime: 5 * time.Minute,
	})
	revolut.Renew = []login.Step{{Path: "/token", Form: login.Fields("grant_type", "refresh_token",
		"refresh_token", "{{refresh}}", "client_id", "{{id}}", "client_assertion_type",
		"urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", "{{assertion}}")}}
	adaptive := with(login.Config{Token: "body.adaptiveAPIAccessToken", Lifetime: time.Hour})
	adaptive.Steps = []login.Step{{
		Method: "GET", Path: "/adaptive/token", Header: login.Fields("Authorization", "Bearer {{token}}"),
	}}
	adaptive.Start = oauth2flow.Assertion(app(), oauth2flow.JWTBearer, oauth2flow.JWT{
		Key: private(rsaKey()), Issuer: "client-7", Subject: "ann", Audience: []string{"wd"}, NoID: true,
	})
	const head = `{"alg":"RS256","typ":"JWT"}.`
	return []provider{
		{
			id: "Q-099", what: "Revolut: an assertion on the refresh, whose iss is the host of the redirect",
			lives: time.Hour, refresh: refreshText,
			open: bearing(login.New(revolut), refreshed()), want: get, jwt: rs256,
			peers: idp(oneHour(), sends("POST /token", typeForm).with("grant_type=refresh_token&refresh_token="+refreshText+
				"&client_id=client-7&"+proof+"&client_assertion="+head+`{"aud":"https://revolut.com","exp":946685100,`+
				`"iat":946684800,"iss":"app.acme.test","jti":"*","sub":"client-7"}`)),
		},
		{
			id: "Q-146", what: "Salesforce Data Cloud: an assertion, then an exchange at the instance",
			lives: 2 * time.Hour,
			open: bearing(login.New(asserting(
				login.Config{
					Token: "body.access_token", Expiry: "body.expires_in", Extra: map[string]string{"host": "body.instance_url"},
				},
				oauth2flow.JWT{Issuer: "client-7", Subject: "ann@acme", Audience: []string{authOrigin}, NoID: true},
				login.Step{
					Path: "/services/oauth2/token",
					Form: login.Fields("grant_type", oauth2flow.JWTBearer, "assertion", "{{assertion}}"),
					Save: map[string]string{"first": "body.access_token", "instance": "body.instance_url"},
				}, login.Step{
					URL: "{{instance}}/services/a360/token", Form: login.Fields(
						"grant_type", "urn:salesforce:grant-type:external:cdp", "subject_token", "{{first}}",
						"subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
				}))),
			want: get, jwt: rs256,
			peers: []peer{
				{
					origin: authOrigin, common: tokenFields(),
					replies: []http.Handler{says(`{"access_token":"` + newerText + `","instance_url":"` + tenantOrigin + `"}`)},
					want: []message{sends("POST /services/oauth2/token", typeForm).with(jwtBearer + "&assertion=" + head +
						`{"aud":"` + authOrigin + `","exp":946684860,"iat":946684800,"iss":"client-7","sub":"ann@acme"}`)},
				},
				{
					origin: tenantOrigin, common: tokenFields(),
					replies: []http.Handler{says(`{"access_token":"` + tokenText + `","instance_url":"cdp.test","expires_in":7200}`)},
					want: []message{sends("POST /services/a360/token", typeForm).with(
						"grant_type=urn%3Asalesforce%3Agrant-type%3Aexternal%3Acdp&subject_token=" + newerText +
							"&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token")},
				},
			},
		},
		{
			id: "Q-148", what: "Workday Adaptive: an assertion for wd, then a GET for another token", lives: time.Hour,
			open: bearing(login.New(adaptive)), want: get, jwt: rs256,
			peers: issuer(turns(
				says(`{"access_token":"`+newerText+`"}`), says(`{"adaptiveAPIAccessToken":"`+tokenText+`"}`),
			), tokenCall("POST /token", "assertion="+head+`{"aud":"wd","exp":946684860,"iat":946684800,"iss":"client-7",`+
				`"sub":"ann"}&`+inBody+"&"+jwtBearer),
				sends("GET /adaptive/token", "Authorization: Bearer "+newerText)),
		},
		{
			id: "Q-169", what: "GitHub App: a JWT as Bearer on the token call, expires_at", lives: time.Hour,
			open: bearing(login.New(asserting(until("body.token", "body.expires_at"), oauth2flow.JWT{
				Issuer: "123456", Lifetime: 10 * time.Minute, Backdate: time.Minute, NoID: true,
			}, login.Step{
				Path: "/app/installations/7/access_tokens", Success: []int{201},
				Header: login.Fields("Authorization", "Bearer {{assertion}}", "Accept", "application/vnd.github+json"),
			}))),
			want: get, jwt: rs256,
			peers: idp(connectiontest.JSON(201, map[string]string{"token": tokenText, "expires_at": "2000-01-01T01:00:00Z"}),
				sends("POST /app/installations/7/access_tokens", "Accept: application/vnd.github+json",
					"Authorization: Bearer "+head+`{"exp":946685340,"iat":946684740,"iss":"123456"}`)),
		},
	}
}

// The signatures were made by another program.
func signedRequests() []provider {
	return []provider{
		{
			id: "Q-070", what: "Shopline: the token call is signed over body and time, and the end is a date", lives: aDay,
			open: shopline,
			want: []message{sends("GET /x", bearerLine)},
			peers: []peer{{
				origin: authOrigin, replies: []http.Handler{says(`{"code":200,"data":{"accessToken":"` + tokenText +
					`","expireTime":"2000-01-02T00:00:00+00:00"}}`)},
				want: []message{sends("POST /admin/oauth/token/refresh", typeJSON, "Appkey: app-7", "Timestamp: 946684800000",
					"Sign: c3a4fd8e32cba009ba5d5e3bb4547de62841e82f411f61316fd2c07bb69f8d97").with(`{"appkey":"app-7"}`)},
			}},
			secrets: []string{"c3a4fd8e32cba009ba5d5e3bb4547de62841e82f411f61316fd2c07bb69f8d97"},
		},
		{
			id: "Q-171", what: "Duo: HMAC-SHA1 over date, method, host, path and parameters, as password of Basic",
			open: using(signing.New(signing.Config{
				Secret: theKey, Algorithm: signing.HMAC(signing.SHA1), User: secrets.Static("DI7"), Separator: "\n",
				Message: []signing.Part{
					signing.Timestamp(), signing.Method(), signing.Host(), signing.Path(), signing.SortedQuery(),
				},
				Timestamp: signing.TimestampField{Header: "Date", Format: "Mon, 02 Jan 2006 15:04:05 -0000"},
			})),
			build: get("/admin/v1/users?username=root&limit=10", nil),
			want: []message{sends("GET /admin/v1/users?username=root&limit=10", "Date: Sat, 01 Jan 2000 00:00:00 -0000",
				"Authorization: Basic "+b64("DI7:07ce4edc75b3762a712b3f5e984828f2911212e2"))},
			secrets: []string{"07ce4edc75b3762a712b3f5e984828f2911212e2"},
		},
		{
			id: "Q-172", what: "Avanan: a hash with the secret on the token call and on each other, with its path",
			lives: time.Hour, open: avanan, build: get("/x?a=1", nil),
			want: []message{sends("GET /x?a=1", "X-Av-Token: "+tokenText, "X-Av-App-Id: app-7", "X-Av-Req-Id: req-call",
				"X-Av-Date: 2000-01-01T00:00:00.000Z",
				"X-Av-Sig: b0856ec5db0a0ac46d175474ff277625d078a12ceb2bed9717b818a8cdd8e4af")},
			peers: idp(connectiontest.Text(200, tokenText), sends("GET /v1.0/auth", "X-Av-App-Id: app-7",
				"X-Av-Req-Id: req-login", "X-Av-Date: 2000-01-01T00:00:00.000Z",
				"X-Av-Sig: eb1a4e8658477026d27d5fc0f1c83f7db73077ebc1349dc9771f638d8aa8fbfe")),
		},
		{
			id: "Q-173", what: "AWS: Signature Version 4", open: using(signing.Func(sigV4)),
			build: get("/x?b=2&a=1", nil),
			want: []message{sends("GET /x?b=2&a=1", "X-Amz-Date: 20000101T000000Z", "Authorization: AWS4-HMAC-SHA256 "+
				"Credential=AKID7/20000101/eu-west-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, "+
				"Signature=2a8d9cb94df6b59bd7ef651e4b4fbaca04e3aa51657da96e7c5974cb1cee882e")},
			secrets: []string{"2a8d9cb94df6b59bd7ef651e4b4fbaca04e3aa51657da96e7c5974cb1cee882e"},
		},
		streamline(),
	}
}

// shopline renews its token with nothing but a signature.
func shopline(s *scene) []connection.Option {
	idp, err := connection.New(authOrigin, s.net.Option(), connection.WithAuth(auth.All(
		auth.APIKey(secrets.Static("app-7"), auth.InHeader("Appkey")),
		signing.New(signing.Config{
			Secret:    theKey,
			Message:   []signing.Part{signing.Body(), signing.Timestamp()},
			Timestamp: signing.TimestampField{Header: "Timestamp", Format: signing.UnixMilliseconds},
			Place:     []auth.PlaceOption{auth.InHeader("Sign")},
		}))))
	s.NoError(err)
	s.Cleanup(func() { _ = idp.Close() })
	type answer struct {
		Data struct {
			Token  string    `json:"accessToken"`
			Expiry time.Time `json:"expireTime"`
		} `json:"data"`
	}
	return bearing(auth.GrantFunc(func(ctx context.Context, _ *auth.Token) (*auth.Token, error) {
		b := request.Post(idp, "/admin/oauth/token/refresh").JSON(map[string]string{"appkey": "app-7"})
		got, err := request.Do[answer](ctx, b)
		if err != nil {
			return nil, err
		}
		return &auth.Token{Value: secrets.Static(got.Data.Token), Expiry: got.Data.Expiry}, nil
	}))(s)
}

// avanan has one signature for the login and another for all other calls.
func avanan(s *scene) []connection.Option {
	const layout = "2006-01-02T15:04:05.000Z"
	hash := func(text string) []byte {
		sum := sha256.Sum256([]byte(base64.StdEncoding.EncodeToString([]byte(text))))
		return sum[:]
	}
	grant := computing(login.Config{Token: "body", Lifetime: time.Hour}, func(v map[string]string) map[string]string {
		date := time.Now().UTC().Format(layout)
		return map[string]string{"date": date, "sig": hex.EncodeToString(hash("req-login" + "app-7" + date + v["key"]))}
	}, login.Step{Method: "GET", Path: "/v1.0/auth", Header: login.Fields("X-Av-App-Id", "app-7",
		"X-Av-Req-Id", "req-login", "X-Av-Date", "{{date}}", "X-Av-Sig", "{{sig}}")})
	return managed(grant, func(src auth.TokenSource) auth.Authenticator {
		return auth.All(auth.Bearer(src, auth.InHeader("X-Av-Token"), auth.NoPrefix()), signing.New(signing.Config{
			Secret: theKey,
			Algorithm: signing.AlgorithmFunc("sha256", func(key secrets.Value, message []byte) ([]byte, error) {
				return hash(string(message) + key.Reveal()), nil
			}),
			Message:   []signing.Part{signing.Nonce(), signing.Text("app-7"), signing.Timestamp(), signing.Target()},
			Timestamp: signing.TimestampField{Header: "X-Av-Date", Format: layout},
			Nonce:     signing.NonceField{Header: "X-Av-Req-Id", New: func() string { return "req-call" }},
			Place:     []auth.PlaceOption{auth.InHeader("X-Av-Sig")},
		}))
	}).and(connection.WithHeader("X-Av-App-Id", "app-7"))(s)
}

// sigV4 is Signature Version 4 for requests without a body.
func sigV4(ctx context.Context, r *signing.Request) error {
	secret, err := theKey.Secret(ctx)
	if err != nil {
		return err
	}
	query, err := signing.SortQuery(r.Query())
	if err != nil {
		return err
	}
	payload, date := sha256.Sum256(nil), r.Time().Format("20060102T150405Z")
	r.SetHeader("X-Amz-Date", date)
	canonical := sha256.Sum256([]byte(strings.Join([]string{
		r.Method(), r.Path(), query, "host:" + r.Host(), "x-amz-date:" + date, "", "host;x-amz-date",
		hex.EncodeToString(payload[:]),
	}, "\n")))
	scope := date[:8] + "/eu-west-1/execute-api/aws4_request"
	key := []byte("AWS4" + secret.Reveal())
	for part := range strings.SplitSeq(scope, "/") {
		key = hmac256(key, part)
	}
	signature := hmac256(key, strings.Join(
		[]string{"AWS4-HMAC-SHA256", date, scope, hex.EncodeToString(canonical[:])}, "\n"))
	r.SetHeader("Authorization", "AWS4-HMAC-SHA256 Credential=AKID7/"+scope+", SignedHeaders=host;x-amz-date, Signature="+
		hex.EncodeToString(signature))
	return nil
}

func hmac256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// streamline wants signatures of RFC 9421.
func streamline() provider {
	const body = `{"note":"a&b"}`
	sum := sha256.Sum256([]byte(body))
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	const params = `("@method" "@target-uri" "content-digest");created=946684800;expires=946685100` +
		`;keyid="key-7";alg="ed25519"`
	base := "\"@method\": POST\n\"@target-uri\": " + apiOrigin + "/x\n\"content-digest\": " + digest +
		"\n\"@signature-params\": " + params
	signature := sure(edKey().Sign(nil, []byte(base), crypto.Hash(0)))
	return provider{
		id: "Q-176", what: "Streamline AI: Ed25519 over method, URL and digest, with an end",
		open: using(signing.MessageSignature(signing.MessageConfig{
			Key: secrets.Static(keyPEM(edKey())), KeyID: "key-7", Algorithm: signing.Ed25519(), SendAlgorithm: true,
			Components: []string{"@method", "@target-uri", "content-digest"},
			Digest:     signing.ContentDigest(signing.SHA256), Lifetime: 5 * time.Minute, Label: "sig",
		})),
		build: func(conn *connection.Connection) request.Builder {
			return request.Post(conn, "/x").Bytes("application/json", []byte(body))
		},
		want: []message{sends("POST /x", typeJSON, "Content-Digest: "+digest, "Signature-Input: sig="+params,
			"Signature: sig=:"+base64.StdEncoding.EncodeToString(signature)+":").with(body)},
		secrets: []string{base64.StdEncoding.EncodeToString(signature)},
	}
}

// oauth1 is OAuth 1.0 (RFC 5849) for requests without a form. sign makes the signature of the base string.
func oauth1(realm, method string, sign func(key, base string) string) auth.Authenticator {
	return signing.Func(func(ctx context.Context, r *signing.Request) error {
		consumer, err := theKey.Secret(ctx)
		if err != nil {
			return err
		}
		token, err := theSecond.Secret(ctx)
		if err != nil {
			return err
		}
		params := map[string]string{
			"oauth_consumer_key": "consumer-7", "oauth_token": "token-7", "oauth_nonce": "nonce-7",
			"oauth_timestamp": "946684800", "oauth_signature_method": method,
		}
		pairs := []string{r.Query()}
		for name, value := range params {
			pairs = append(pairs, name+"="+signing.Escape(value))
		}
		query, err := signing.SortQuery(strings.Join(pairs, "&"))
		if err != nil {
			return err
		}
		target, _, _ := strings.Cut(r.URL(), "?")
		params["oauth_signature"] = sign(signing.Escape(consumer.Reveal())+"&"+signing.Escape(token.Reveal()),
			r.Method()+"&"+signing.Escape(target)+"&"+signing.Escape(query))
		line := []string{`OAuth realm="` + realm + `"`}
		for _, name := range slices.Sorted(maps.Keys(params)) {
			line = append(line, name+`="`+signing.Escape(params[name])+`"`)
		}
		r.SetHeader("Authorization", strings.Join(line, ", "))
		return nil
	})
}

func oauth1Requests() []provider {
	line := func(realm, signature, method string) string {
		return `Authorization: OAuth realm="` + realm + `", oauth_consumer_key="consumer-7", oauth_nonce="nonce-7", ` +
			`oauth_signature="` + signature + `", oauth_signature_method="` + method + `", oauth_timestamp="946684800", ` +
			`oauth_token="token-7"`
	}
	return []provider{
		{
			id: "Q-174", what: "NetSuite: OAuth 1.0, HMAC-SHA256, the account as realm",
			base: "https://123-sb1.suitetalk.test/services/rest",
			open: using(oauth1("123_SB1", "HMAC-SHA256", func(key, base string) string {
				return base64.StdEncoding.EncodeToString(hmac256([]byte(key), base))
			})),
			build: get("/x?limit=2", nil),
			want: []message{sends("GET /services/rest/x?limit=2",
				line("123_SB1", "Q%2FFu4aRpJ21CL0AYeWXByCvRrfaHVWMHjIZQGVZXuMA%3D", "HMAC-SHA256"))},
			secrets: []string{"Q/Fu4aRpJ21CL0AYeWXByCvRrfaHVWMHjIZQGVZXuMA="},
		},
		{
			id: "Q-175", what: "SmugMug: OAuth 1.0, PLAINTEXT",
			open: using(oauth1("", "PLAINTEXT", func(key, _ string) string { return key })),
			want: []message{sends("GET /x", line("",
				"k3y%252B5A%252Fcanary1%253D%253D%26s3c%252F0nd%252Bcanary2%253D%253D", "PLAINTEXT"))},
		},
	}
}
