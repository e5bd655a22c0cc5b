package connection

import (
	"errors"
	"net/http"
)

// maySendOnceMore reports whether an attempt that was answered with 408 is sent once more at once, as
// [Retry.Silent408] says. A body that can be opened only once is gone, and a server that asks for a wait gets it.
func (x *Exchange) maySendOnceMore(a *attempt, req *http.Request, resp *http.Response) bool {
	if !x.retry.Silent408 || a.ctx.Err() != nil || !x.repeatable(req) || hasBody(&a.request) && a.request.GetBody == nil {
		return false
	}
	asked, _ := x.retry.asked(resp)
	return asked == 0
}

// sendOnceMore sends the request of an attempt again, from its beginning: new credentials, the body opened anew, and
// redirects from the first on. The request is a new one, because the transport may still be busy with the other.
func (s attemptStage) sendOnceMore(
	x *Exchange, a *attempt, req *http.Request, answer *http.Response,
) (*http.Response, error) {
	discardSoon(answer)
	out := new(outgoing)
	x.fill(a, out, req)
	if err := x.openBody(a, &out.request); err != nil {
		return nil, err
	}
	resp, err := s.next.RoundTrip(&out.request)
	if te, ok := errors.AsType[*TransportError](err); ok {
		te.Unsent = false // the server has seen the first one
	}
	return resp, err
}
