package oauth2flow

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
)

// mostAnswer is the most that is read of what a browser brings, in bytes. An ID token has 64 KiB at most.
const mostAnswer = 128 << 10

// Faults of a request that should bring an answer. To the caller they are ErrCallback.
var (
	errAnswerMethod = fmt.Errorf("%w: it does not come by this method", ErrCallback)
	errAnswerType   = fmt.Errorf("%w: it is no form", ErrCallback)
	errAnswerSize   = fmt.Errorf("%w: it has more than 128 KiB", ErrCallback)
	errAnswerSyntax = fmt.Errorf("%w: its parameters cannot be read", ErrCallback)
)

// browserAnswer returns the parameters that a browser has brought: in the query or, where the server was asked for
// that, in the form of a POST. A server that has not understood the question answers in the query in any case.
func browserAnswer(w http.ResponseWriter, req *http.Request, posted bool) (url.Values, error) {
	switch {
	case req.Method == http.MethodGet:
		return queryAnswer(req)
	case req.Method == http.MethodPost && posted:
		return formAnswer(w, req)
	}
	return nil, errAnswerMethod
}

func queryAnswer(req *http.Request) (url.Values, error) {
	if len(req.URL.RawQuery) > mostAnswer {
		return nil, errAnswerSize
	}
	values, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return nil, errAnswerSyntax
	}
	return values, nil
}

func formAnswer(w http.ResponseWriter, req *http.Request) (url.Values, error) {
	media, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, errAnswerType
	}
	if req.PostForm == nil { // else somebody before us has read it
		req.Body = http.MaxBytesReader(w, req.Body, mostAnswer)
	}
	if err := req.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, errAnswerSize
		}
		return nil, errAnswerSyntax
	}
	return req.PostForm, nil
}

// hardenPage keeps a page, and the URL that it was asked for by, from caches, other sites and their scripts.
func hardenPage(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
}

// seeOther sends a browser on by a GET, without a page of its own.
func seeOther(w http.ResponseWriter, target string) {
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
}
