package conformance_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// silently is how Informatica retries, with the silent retries of a 408.
func silently(most int) connection.Option {
	return connection.WithRetry(connection.Retry{Max: most, On: connection.OnSeries(1, 3, 4, 5), Silent408: true})
}

func TestInformaticaSilentRetry(t *testing.T) {
	t.Parallel()
	late, ok := connectiontest.Status(http.StatusRequestTimeout), connectiontest.Text(http.StatusOK, "ok")
	timed(t, "I-40 a 408 is sent again at once, without a retry that is set, and does not count", func(r *Row) {
		s := r.serve(late, ok)
		began := time.Now()
		full, err := request.Full[string](r.ctx(), request.Get(r.open(s, silently(0)), "/x"))
		r.NoError(err)
		r.Equal("value", full.Value, "ok")
		r.Equal("attempts", full.Attempts, 1)
		r.Equal("time that passed", time.Since(began), time.Duration(0))
		for _, req := range r.Sent(s, 2) {
			r.Line(req, "GET /v1/x HTTP/1.1")
		}
	})
	row(t, "I-40 a second 408 is the answer", func(r *Row) {
		s := r.serve(late)
		err := request.Get(r.open(s, silently(0)), "/x").Exec(r.ctx())
		r.Is(err, request.Status(http.StatusRequestTimeout))
		r.Equal("attempts", len(as[*request.ResponseError](r, err).History), 1)
		r.Sent(s, 2)
	})
	row(t, "I-40 silent retries come on top of the number that is set", func(r *Row) {
		s := r.serve(late)
		err := request.Get(r.open(s, silently(1)), "/x").Exec(r.ctx())
		r.Is(err, request.Status(http.StatusRequestTimeout))
		r.Equal("attempts", len(as[*request.ResponseError](r, err).History), 2)
		r.Sent(s, 4)
	})
	row(t, "I-40 a server that asks for a wait is not asked again at once", func(r *Row) {
		s := r.serve(late.Header("Retry-After", "5"), ok)
		r.Is(request.Get(r.open(s, silently(0)), "/x").Exec(r.ctx()), request.Status(http.StatusRequestTimeout))
		r.Sent(s, 1)
		s = r.serve(late.Header("Retry-After", "0"), ok)
		r.NoError(request.Get(r.open(s, silently(0)), "/x").Exec(r.ctx()))
		r.Sent(s, 2)
	})
	row(t, "I-40 a POST is sent again if its own policy says so, with the same body", func(r *Row) {
		s := r.serve(late)
		post := request.Post(r.open(s, silently(0)), "/x").JSON(map[string]int{"n": 1})
		r.Is(post.Exec(r.ctx()), request.Status(http.StatusRequestTimeout))
		r.Sent(s, 1)
		post = post.Retry(connection.Retry{Silent408: true})
		r.Is(post.Exec(r.ctx()), request.Status(http.StatusRequestTimeout))
		for _, req := range r.Sent(s, 3) {
			r.Equal("body", string(req.Body), `{"n":1}`)
		}
	})
	row(t, "I-40 nothing is sent again silently unless that is asked for", func(r *Row) {
		s := r.serve(late, ok)
		err := request.Get(r.open(s), "/x").Exec(r.ctx())
		r.Is(err, request.Status(http.StatusRequestTimeout))
		r.Sent(s, 1)
	})
}
