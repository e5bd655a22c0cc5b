package conformance_test

import (
	"crypto/tls"
	"encoding/pem"
	"testing"

	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

func TestKineticOAuth(t *testing.T) {
	t.Parallel()
	row(t, "K-43 the access token URL is required", func(r *Row) {
		r.rejectsClient(oauth2flow.ClientCredentials, func(c *oauth2flow.Client) { c.TokenURL = "" })
	})
	row(t, "K-44 the client id is required", func(r *Row) {
		r.rejectsClient(oauth2flow.ClientCredentials, func(c *oauth2flow.Client) { c.ID = "" })
	})
	row(t, "K-45 a client without a secret sends its id alone", func(r *Row) {
		for _, none := range []secrets.Provider{nil, secrets.Static("")} {
			call := r.tokenCall(oauth2flow.ClientCredentials, func(c *oauth2flow.Client) { c.Secret = none })
			r.tokenForm(call, "client_id=cid&grant_type=client_credentials")
		}
	})
	row(t, "K-45 a client without a secret has an empty one in the header", func(r *Row) {
		call := r.tokenCall(oauth2flow.ClientCredentials, func(c *oauth2flow.Client) {
			c.Secret, c.Auth = secrets.Static(""), oauth2flow.InHeader()
		})
		r.Line(call, "Authorization: Basic Y2lkOg==")
		r.tokenForm(call, "grant_type=client_credentials")
	})
	row(t, "K-46 the client authenticates in the header", func(r *Row) {
		call := r.tokenCall(oauth2flow.ClientCredentials, func(c *oauth2flow.Client) { c.Auth = oauth2flow.InHeader() })
		r.Line(call, "Authorization: Basic Y2lkOmNzZWM=")
		r.tokenForm(call, "grant_type=client_credentials")
	})
	row(t, "K-46 the client authenticates in the body, which is the default", func(r *Row) {
		for _, method := range []oauth2flow.ClientAuth{{}, oauth2flow.InBody()} {
			call := r.tokenCall(oauth2flow.ClientCredentials, func(c *oauth2flow.Client) { c.Auth = method })
			r.Lines(call, "Authorization")
			r.tokenForm(call, "client_id=cid&client_secret=csec&grant_type=client_credentials")
		}
	})
	row(t, "K-47 without a scope there is no such parameter", func(r *Row) {
		r.tokenKeys(r.tokenCall(oauth2flow.ClientCredentials), "scope")
	})
	row(t, "K-48 a certificate to trust for the token endpoint alone", func(r *Row) {
		api := r.serve()
		own := connectiontest.NewNetwork(r).Certificate("auth.example.test") // of an authority that nobody trusts
		reply := answered(map[string]any{"access_token": "t1"})
		idp := api.Network().ServeTLS(issuerURL, reply, &tls.Config{Certificates: []tls.Certificate{own}})
		c := oauthClient()
		err := request.Get(r.open(api, withGrant(oauth2flow.ClientCredentials(c))), "/x").Exec(r.ctx())
		_ = as[*tls.CertificateVerificationError](r, err)
		r.Sent(idp, 0)
		r.Sent(api, 0)

		c.Endpoint.TrustedCA = inPEM(own)
		r.NoError(request.Get(r.open(api, withGrant(oauth2flow.ClientCredentials(c))), "/x").Exec(r.ctx()))
		r.Sent(idp, 1)
		r.Line(r.Sent(api, 1)[0], "Authorization: Bearer t1")
	})
	row(t, "K-48 what the connection trusts has then no effect on the token endpoint", func(r *Row) {
		api := r.serve()
		idp := r.issue(api) // of the authority that the connection trusts
		c := oauthClient(func(c *oauth2flow.Client) {
			c.Endpoint.TrustedCA = inPEM(connectiontest.NewNetwork(r).Certificate("other.example.test"))
		})
		err := request.Get(r.open(api, withGrant(oauth2flow.ClientCredentials(c))), "/x").Exec(r.ctx())
		_ = as[*tls.CertificateVerificationError](r, err)
		r.Sent(idp, 0)
	})
	row(t, "K-48 a text without certificates is refused", func(r *Row) {
		r.rejectsClient(oauth2flow.ClientCredentials, func(c *oauth2flow.Client) { c.Endpoint.TrustedCA = []byte("x") })
	})
}

func inPEM(c tls.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
}
