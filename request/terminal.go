package request

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/redact"
)

// Do sends the request and returns the decoded body of a successful response. T decides how it is decoded:
//
//   - string: as text, in UTF-8 or in the charset that its Content-Type names;
//   - []byte and [Binary]: as it is;
//   - json.RawMessage: as one JSON value, which is not decoded;
//   - anything else: by the codec, as one value, strictly. The Content-Type must be that of the codec, and nothing may
//     follow. By default that is JSON, in UTF-8, and numbers in an any are json.Number. Of two members of the same name
//     the last one counts, and one whose name differs in case fits as well: [StrictJSON] refuses both.
//
// An answer that has no body by its nature (204, 205, 304, HEAD) is the zero T. An empty body, or a JSON null, is an
// error unless T can be absent: a pointer, slice, map, interface or struct{}.
//
// Errors are [*ResponseError], [*DecodeError] and, for all else, [*Error].
func Do[T any](ctx context.Context, b Builder) (T, error) {
	var v T
	_, err := b.into(ctx, &v)
	if err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// Response is a successful response with its decoded body.
type Response[T any] struct {
	Status int
	Header http.Header
	Value  T
	// Attempts is the number of attempts that were made.
	Attempts int
	// URL is the URL that was asked, without its query.
	URL string
}

// Full is [Do] for callers who want the whole response.
func Full[T any](ctx context.Context, b Builder) (*Response[T], error) {
	r := new(Response[T])
	x, err := b.into(ctx, &r.Value)
	if err != nil {
		return nil, err
	}
	r.Status, r.Header, r.Attempts, r.URL = x.Response.StatusCode, x.Response.Header, x.Attempts(), x.URL()
	return r, nil
}

// Into is [Do] for a value that exists: target is a pointer to it. After an error the value may be filled in part.
func (b Builder) Into(ctx context.Context, target any) error {
	if v := reflect.ValueOf(target); v.Kind() != reflect.Pointer || v.IsNil() {
		return b.wrong(errors.New("the target of Into is not a pointer, or nil: to drop the body use Exec"))
	}
	_, err := b.into(ctx, target)
	return err
}

// Exec sends the request and drops the body of a successful response.
func (b Builder) Exec(ctx context.Context) error {
	_, err := b.into(ctx, nil)
	return err
}

// Stream sends the request and returns a successful response with its body open. Reading is bounded by the idle
// timeout, and by the end of ctx. The caller closes the body.
func (b Builder) Stream(ctx context.Context) (*http.Response, error) {
	x, err := b.open(ctx, "")
	if err != nil {
		return nil, err
	}
	return x.Response, nil
}

// Request builds the request and does not send it. It has neither credentials nor the headers of the connection:
// [connection.Connection.Do] adds both.
func (b Builder) Request(ctx context.Context) (*http.Request, error) {
	if p := b.effective(); p.authSet || p.retry != nil || p.timeouts != (connection.Timeouts{}) ||
		p.maxRedirects != nil || p.debugSet || p.checkSet || p.expectedSet || p.insecure {
		return nil, b.wrong(errors.New("an *http.Request cannot carry Auth, Retry, Timeouts, MaxRedirects, Debug, " +
			"InsecureSkipVerify, ExpectStatus or Check: use another terminal, or a connection derived with With"))
	}
	resolved, err := b.resolved(ctx)
	if err != nil {
		return nil, err
	}
	call, err := resolved.call(ctx)
	if err != nil {
		return nil, resolved.wrong(err)
	}
	track(b.effective().progress, &call)
	path := redact.SecretPath{Shown: call.ShownPath, Secrets: call.Secrets}
	req, err := http.NewRequestWithContext(redact.WithPath(ctx, path), call.Method, "/", http.NoBody)
	if err != nil {
		return nil, b.wrong(err)
	}
	req.URL, req.Host = &call.URL, call.URL.Host
	for _, f := range call.Header {
		req.Header.Add(f.Name, f.Value)
	}
	if call.Body == nil {
		return req, nil
	}
	req.ContentLength = call.BodyLen
	if !call.BodyOnce {
		req.GetBody = call.Body
	}
	if req.Body, err = call.Body(); err != nil {
		return nil, b.wrong(err)
	}
	return req, nil
}

// into sends the request and decodes the answer into target; nil means that the body is dropped. The exchange that it
// returns is closed.
func (b *Builder) into(ctx context.Context, target any) (*connection.Exchange, error) {
	x, err := b.send(ctx, target)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	r := b.reader(x.Exchange)
	defer r.release()
	check := b.effective().check
	if !b.succeeded(x.Response) {
		return nil, r.responseError(r.beginning(), b.unexpected(x.Response))
	}
	if target == nil && check == nil {
		return x.Exchange, r.drain()
	}
	if err := r.read(); err != nil {
		return nil, err
	}
	if check != nil {
		if err := check(x.Response, r.data); err != nil {
			return nil, r.responseError(r.data, err)
		}
	}
	if target == nil {
		return x.Exchange, nil
	}
	return x.Exchange, r.decode(target)
}

// open sends the request and returns the exchange of a successful response as a stream. The caller closes it.
func (b *Builder) open(ctx context.Context, accept string) (sent, error) {
	x, err := b.sendAccept(ctx, accept)
	if err != nil {
		return sent{}, err
	}
	if err := b.judge(x); err != nil {
		return sent{}, err
	}
	x.Stream()
	return x, nil
}

// judge closes the exchange of a stream that is not a success, and returns its error.
func (b *Builder) judge(x sent) error {
	ok := false
	defer func() {
		if !ok { // also after a panic in Check
			x.Close()
		}
	}()
	r := b.reader(x.Exchange)
	if !b.succeeded(x.Response) {
		return r.responseError(r.beginning(), b.unexpected(x.Response))
	}
	if check := b.effective().check; check != nil {
		if err := check(x.Response, nil); err != nil {
			return r.responseError(r.beginning(), err)
		}
	}
	ok = true
	return nil
}

// succeeded reports whether the status says that the request was a success. 304 answers a condition that the caller has
// set. With a Check that stands alone, the status says nothing.
func (b *Builder) succeeded(resp *http.Response) bool {
	p := b.effective()
	switch {
	case p.expectedSet:
		return slices.Contains(p.expected, resp.StatusCode)
	case p.check != nil:
		return true
	}
	return resp.StatusCode/100 == 2 || resp.StatusCode == http.StatusNotModified
}

var errUnexpected = errors.New("ExpectStatus does not have this status")

// unexpected says why a status that is a success by itself is none; nil for the others.
func (b *Builder) unexpected(resp *http.Response) error {
	if resp.StatusCode/100 == 2 && b.effective().expectedSet {
		return errUnexpected
	}
	return nil
}
