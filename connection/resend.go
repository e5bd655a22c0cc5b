package connection

import (
	"context"
	"errors"
	"net/http"
)

// onlyOnce reports whether the server must not get the request twice. A token call never is to be repeated: a refresh
// token may be good for one.
func onlyOnce(req *http.Request) bool {
	x := exchangeOf(req)
	return x == nil || !x.repeatable(req)
}

// mostDials is how many connections are made for one hop: net/http makes a second one where another request has taken
// the first. Without a bound it would go on for ever with a request that may be sent again.
const mostDials = 4

var errDials = errors.New("the server ends every connection that the request is sent on")

// mayDial refuses to make connections without end for one hop. ctx is that of net/http, which has the values of the
// request's.
func mayDial(ctx context.Context) error {
	x, ok := ctx.Value(exchangeKey{}).(*Exchange)
	if ok && x.dials.Add(1) > mostDials {
		return errDials
	}
	return nil
}
