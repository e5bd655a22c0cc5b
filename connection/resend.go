package connection

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/restconn/restconn/internal/wait"
)

// onlyOnce reports whether the server must not get the request twice. A token call never is to be repeated: a refresh
// token may be good for one.
func onlyOnce(req *http.Request) bool {
	x := exchangeOf(req)
	return x == nil || !x.repeatable(req)
}

const (
	// mostDials is how many connections are made for one hop. net/http makes another one where a request of somebody
	// else has taken the first, which happens often on servers that take few requests at once. Without a bound it
	// would go on for ever where a server ends every connection that the request is sent on.
	mostDials = 32
	// quickDials are made at once, and each one after them a little later than the one before.
	quickDials = 4
	dialPause  = 5 * time.Millisecond
)

var errDials = errors.New("the server ends every connection that the request is sent on")

// mayDial refuses to make connections without end for one hop. ctx is that of net/http, which has the values of the
// request's.
func mayDial(ctx context.Context) error {
	x, ok := ctx.Value(exchangeKey{}).(*Exchange)
	if !ok {
		return nil
	}
	switch n := x.dials.Add(1); {
	case n > mostDials:
		return errDials
	case n > quickDials:
		return wait.For(ctx, time.Duration(n-quickDials)*dialPause)
	}
	return nil
}
