package request

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/internal/redact"
)

// send builds the call and sends it, for an answer that goes into target. On success the caller closes the exchange.
func (b *Builder) send(ctx context.Context, target any) (sent, error) {
	if err := b.connected(); err != nil {
		return sent{}, b.wrong(err)
	}
	return b.sendAccept(ctx, accept(b.codec(), target))
}

// connected reports what is wrong with the connection.
func (b *Builder) connected() error {
	if b.conn == nil || b.conn.BaseURL().Host == "" {
		return errNoConnection
	}
	return nil
}

// resolved returns the builder for calls with ctx: where the base URL has placeholders, they are filled in.
func (b *Builder) resolved(ctx context.Context) (*Builder, error) {
	if err := b.connected(); err != nil {
		return nil, b.wrong(err)
	}
	conn, err := b.conn.Resolve(ctx)
	switch {
	case err == nil && conn == b.conn:
		return b, nil
	case err != nil:
		stage := StageBuild
		if _, isAuth := errors.AsType[*auth.Error](err); isAuth || isContext(err) {
			stage = stageOf(err, 1)
		}
		return nil, b.unsent(stage, err)
	}
	own := *b
	own.conn = conn
	return &own, nil
}

// sent is an exchange that has a response.
type sent struct {
	*connection.Exchange

	upload *upload
}

// Close closes the exchange. After it the upload is not reported on.
func (s sent) Close() {
	s.Exchange.Close()
	s.upload.stop()
}

// sendAccept is send with an Accept header, which that of the request or of the connection overrides.
func (b *Builder) sendAccept(ctx context.Context, accept string) (sent, error) {
	b, err := b.resolved(ctx)
	if err != nil {
		return sent{}, err
	}
	call, err := b.call(ctx)
	if err != nil {
		return sent{}, b.wrong(err)
	}
	call.Accept = accept
	u := track(b.effective().progress, &call)
	x, err := b.conn.Send(ctx, call)
	if err != nil {
		u.stop()
		n := x.Attempts()
		if n == 0 && errors.Is(err, connection.ErrNotReplayable) {
			err = namePart(b.body, err)
		}
		return sent{}, &Error{
			Stage: stageOf(err, n), Method: b.method, URL: x.URL(), Attempts: n, Err: isolated(err),
		}
	}
	return sent{x, u}, nil
}

var errNoConnection = errors.New("the connection is nil, or was not made by connection.New")

// wrong makes the error of a request that cannot be built.
func (b *Builder) wrong(err error) error { return b.unsent(StageBuild, err) }

// unsent makes the error of a request that is not going to be sent, and closes what only it could have sent. It shows
// the template, without its query.
func (b *Builder) unsent(stage Stage, err error) error {
	abandon(b.body)
	e := &Error{Stage: stage, Method: b.method, Err: isolated(redact.Error(err))}
	if b.conn == nil {
		return e
	}
	if base, template, err := b.split(); err == nil {
		path, _, _ := strings.Cut(template, "?")
		e.URL = redact.Line(base.Scheme + "://" + base.Host + base.RawPath + slashed(path))
	}
	return e
}

// call turns the builder into a call.
func (b *Builder) call(ctx context.Context) (connection.Call, error) {
	call := connection.Call{Method: b.method}
	if err := b.connected(); err != nil {
		return call, err
	}
	if b.policy != nil {
		if err := b.policy.set(&call); err != nil {
			return call, err
		}
	}
	if err := b.setURL(ctx, &call); err != nil {
		return call, err
	}
	if err := b.setHeader(&call); err != nil {
		return call, err
	}
	err := b.setBody(&call)
	return call, err
}

func (p *policy) set(call *connection.Call) error {
	if p.authSet && p.auth == nil {
		return errors.New("the authenticator is nil: anonymity is auth.None()")
	}
	if p.debugSet && p.debug == nil {
		return errors.New("the logger of Debug is nil")
	}
	if p.checkSet && p.check == nil {
		return errors.New("the function of Check is nil")
	}
	if p.progressSet && p.progress == nil {
		return errors.New("the function of UploadProgress is nil")
	}
	if p.codec != nil {
		if err := p.codec.Validate(); err != nil {
			return fmt.Errorf("the Codec: %w", err)
		}
	}
	if p.expectedSet && len(p.expected) == 0 {
		return errors.New("ExpectStatus has no status")
	}
	for _, status := range p.expected {
		if status < 200 || status > 599 {
			return fmt.Errorf("ExpectStatus: %d is not the status of a response", status)
		}
	}
	call.Auth, call.Retry, call.Timeouts = p.auth, p.retry, p.timeouts
	call.MaxRedirects, call.Debug, call.InsecureSkipVerify = p.maxRedirects, p.debug, p.insecure
	return nil
}

// setHeader hands over the headers. Their names and values are checked by the connection.
func (b *Builder) setHeader(call *connection.Call) error {
	fields := make([]connection.Field, 0, b.headers())
	for i := range b.count {
		p := b.param(i)
		if p.kind != headerParam {
			continue
		}
		name := http.CanonicalHeaderKey(p.name)
		if field.Reserved(name) {
			return fmt.Errorf("header %s is not set by hand", name)
		}
		fields = append(fields, connection.Field{Name: name, Value: p.value})
	}
	if b.effective().idempotent && !hasField(fields, idempotencyKey) {
		fields = append(fields, connection.Field{Name: idempotencyKey, Value: rand.Text()})
	}
	call.Header = fields
	return nil
}

// headers returns how many headers there will be at most.
func (b *Builder) headers() int {
	n := 0
	for i := range b.count {
		if b.param(i).kind == headerParam {
			n++
		}
	}
	if b.body != nil {
		n++
	}
	if b.effective().idempotent {
		n++
	}
	return n
}

func (b *Builder) setBody(call *connection.Call) error {
	if b.body == nil {
		return nil
	}
	if (b.method == http.MethodGet || b.method == http.MethodHead) && !b.effective().allowBody {
		return fmt.Errorf("a %s request has no body: use AllowBody if the service wants one", b.method)
	}
	if err := b.checkForm(call); err != nil {
		return err
	}
	payload, err := payloadOf(b.body, b.codec())
	if err != nil {
		return fmt.Errorf("request body: %w", err)
	}
	call.Body, call.BodyLen, call.BodyOnce = payload.Open, payload.Len, payload.Once
	if payload.ContentType != "" && !hasField(call.Header, contentType) {
		call.Header = append(call.Header, connection.Field{Name: contentType, Value: payload.ContentType})
	}
	return nil
}
