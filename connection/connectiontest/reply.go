package connectiontest

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// Reply is a fixed answer: an [http.Handler] that reads the request to its end and then answers. Make one with [JSON],
// [Text] or [Status]. It is immutable and safe for concurrent use; it works with any server.
type Reply struct {
	status int
	header http.Header // what JSON and Text set
	extra  http.Header // what Header added
	body   string
	delay  time.Duration
}

// JSON returns a reply whose body is v as JSON. A v that has no JSON makes it a 500 that says why.
func JSON(status int, v any) Reply {
	data, err := json.Marshal(v)
	if err != nil {
		return Text(http.StatusInternalServerError, "connectiontest: "+err.Error())
	}
	return Reply{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: string(data)}
}

// Text returns a reply whose body is s, as text/plain unless [Reply.Header] says otherwise.
func Text(status int, s string) Reply {
	return Reply{status: status, header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, body: s}
}

// Status returns a reply without a body. The zero Reply is Status(200).
func Status(code int) Reply { return Reply{status: code} }

// Header returns a reply with one more header field. It takes the place of what the reply would have under that name by
// itself: a Content-Length that is too large makes an answer that breaks off.
func (r Reply) Header(key, value string) Reply {
	extra := r.extra.Clone()
	if extra == nil {
		extra = make(http.Header)
	}
	extra.Add(key, value)
	r.extra = extra
	return r
}

// Delay returns a reply that waits for d, after it has read the request, and then answers. It waits no longer than the
// request is wanted.
func (r Reply) Delay(d time.Duration) Reply {
	r.delay = d
	return r
}

// ServeHTTP implements [http.Handler].
func (r Reply) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	_, _ = io.Copy(io.Discard, req.Body) // fails only if the client is gone, as does WriteString below
	if r.delay > 0 {
		timer := time.NewTimer(r.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-req.Context().Done():
			return
		}
	}
	if r.status == 0 {
		r.status = http.StatusOK
	}
	h := w.Header()
	for key, values := range r.header {
		h[key] = slices.Clone(values)
	}
	if r.status >= 200 && r.status != http.StatusNoContent && r.status != http.StatusNotModified {
		h.Set("Content-Length", strconv.Itoa(len(r.body)))
	}
	for key, values := range r.extra {
		h[key] = slices.Clone(values)
	}
	w.WriteHeader(r.status)
	_, _ = io.WriteString(w, r.body)
}

// Sequence returns a handler that answers the n-th request with the n-th reply, and all further ones with the last. A
// server that recovers at the third attempt is
//
//	Sequence(Status(503), Status(503), JSON(200, v))
func Sequence(replies ...http.Handler) http.Handler {
	if len(replies) == 0 {
		return Text(http.StatusInternalServerError, "connectiontest: Sequence without a reply")
	}
	replies = slices.Clone(replies)
	var n atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := min(n.Add(1), int64(len(replies))) - 1
		replies[i].ServeHTTP(w, r)
	})
}

// Cut returns a handler that reads the request to its end and then cuts the connection, without an answer.
func Cut() http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler) // the way of net/http to say so, which it recovers from
	})
}
