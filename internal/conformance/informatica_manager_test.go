package conformance_test

import (
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

func TestInformaticaGeneratedToken(t *testing.T) {
	t.Parallel()
	hour := func(text string) connectiontest.Reply {
		return answered(map[string]any{"access_token": text, "expires_in": 3600})
	}
	timed(t, "I-14 a token is generated although there is a good one, returned, and used from then on", func(r *Row) {
		api := r.serve()
		idp := r.issue(api, hour("t1"), hour("t2"))
		conn, m := r.bound(api, oauth2flow.ClientCredentials(oauthClient()))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		r.Sent(idp, 1)
		token, err := m.Renew(r.ctx())
		r.NoError(err)
		r.Equal("token", token.Value.Reveal(), "t2")
		r.Line(r.Sent(idp, 2)[1], "POST /token HTTP/1.1")
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		r.Line(r.Sent(api, 2)[1], "Authorization: Bearer t2")
		r.Sent(idp, 2)
	})
}

func TestInformaticaGivenToken(t *testing.T) {
	t.Parallel()
	given := func(d time.Duration) auth.ManageOption {
		return auth.Seed(auth.Token{Value: secrets.Static("t0"), Expiry: time.Now().Add(d)})
	}
	timed(t, "I-15 a token that was typed in is used, and no token call is made", func(r *Row) {
		for _, seed := range []auth.ManageOption{given(time.Hour), auth.Seed(auth.Token{Value: secrets.Static("t0")})} {
			api := r.serve()
			idp := r.issue(api)
			conn, _ := r.bound(api, oauth2flow.ClientCredentials(oauthClient()), seed)
			r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
			r.Line(r.Sent(api, 1)[0], "Authorization: Bearer t0")
			r.NothingSent(idp)
		}
	})
	timed(t, "I-15 until it has expired", func(r *Row) {
		api := r.serve()
		idp := r.issue(api)
		conn, _ := r.bound(api, oauth2flow.ClientCredentials(oauthClient()), given(time.Hour))
		time.Sleep(time.Hour + time.Second)
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		r.Line(r.Sent(api, 1)[0], "Authorization: Bearer t1")
		r.Sent(idp, 1)
	})
	timed(t, "I-15 until it is rejected", func(r *Row) {
		api := r.serve(connectiontest.Status(401), connectiontest.Status(200))
		idp := r.issue(api)
		conn, _ := r.bound(api, oauth2flow.ClientCredentials(oauthClient()), given(time.Hour))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		sent := r.Sent(api, 2)
		r.Line(sent[0], "Authorization: Bearer t0")
		r.Line(sent[1], "Authorization: Bearer t1")
		r.Sent(idp, 1)
	})
}
