package bench

import (
	"context"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

type restConn struct {
	conn *connection.Connection
}

func newRestConn(c Config) (Peer, error) {
	options := []connection.Option{
		connection.WithAuth(auth.Bearer(auth.Static(secrets.Static(Token)))),
		connection.WithHeader(headerTenant, Tenant),
	}
	if c.Transport != nil {
		options = append(options, connection.WithTransport(c.Transport))
	}
	if c.Retries > 0 {
		options = append(options, connection.WithRetry(connection.Retry{Max: c.Retries}),
			connection.WithoutRetryBudget()) // every call of the scenario fails twice
	}
	if c.MaxConnsPerHost > 0 {
		options = append(options, connection.WithMaxConnsPerHost(c.MaxConnsPerHost))
	}
	conn, err := connection.New(c.BaseURL, options...)
	if err != nil {
		return nil, err
	}
	return &restConn{conn: conn}, nil
}

// newRestConnRetry is restconn with retries that are on and, outside retry_503_fake, not needed.
func newRestConnRetry(c Config) (Peer, error) {
	c.Retries = FlakyFailures
	return newRestConn(c)
}

// newRestConnMax128 is restconn with bounded connections.
func newRestConnMax128(c Config) (Peer, error) {
	c.MaxConnsPerHost = 128
	return newRestConn(c)
}

func (p *restConn) GetJSON(ctx context.Context) (*Item, error) {
	return request.Do[*Item](ctx, request.Get(p.conn, itemsPath+"/{id}").
		Path("id", itemID).
		Query("expand", expand).
		Query("limit", limit).
		Header("Accept", mediaJSON).
		Header(headerTrace, Trace))
}

func (p *restConn) PostJSON(ctx context.Context, in *Item) (*Item, error) {
	return request.Do[*Item](ctx, request.Post(p.conn, itemsPath).
		Header("Accept", mediaJSON).
		Header(headerTrace, Trace).
		JSON(in))
}

func (p *restConn) ListJSON(ctx context.Context) ([]Item, error) {
	return request.Do[[]Item](ctx, request.Get(p.conn, itemsPath).
		Header("Accept", mediaJSON).
		Header(headerTrace, Trace))
}

// Upload has an idempotency key, without which a POST is not retried.
func (p *restConn) Upload(ctx context.Context, file string) error {
	form := request.Multipart()
	for _, field := range FormFields() {
		form = form.Field(field[0], field[1])
	}
	return request.Post(p.conn, reportsPath).
		Header("Accept", mediaJSON).
		Header(headerTrace, Trace).
		Body(form.File(FileField, file)).
		Idempotent().
		Exec(ctx)
}

func (p *restConn) Download(ctx context.Context, file string) error {
	_, err := request.Download(ctx, request.Get(p.conn, exportPath).Header(headerTrace, Trace), file)
	return err
}

func (p *restConn) Close() { _ = p.conn.Close() }
