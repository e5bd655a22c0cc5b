package testidp

import (
	"encoding/json"
	"maps"
	"net/http"
)

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func newReply(status int, contentType string, body []byte) *reply {
	return &reply{status, http.Header{
		"Cache-Control":          {"no-store"},
		"Content-Type":           {contentType},
		"Referrer-Policy":        {"no-referrer"},
		"X-Content-Type-Options": {"nosniff"},
	}, body}
}

func (r *reply) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), r.header)
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body)
}

// cookie adds a cookie.
func (r *reply) cookie(c *http.Cookie) *reply {
	r.header.Add("Set-Cookie", c.String())
	return r
}

type object = map[string]any

// answer is an answer in JSON.
func answer(status int, value object) *reply {
	body, err := json.Marshal(value)
	if err != nil {
		return newReply(http.StatusInternalServerError, "text/plain", []byte(err.Error()))
	}
	return newReply(status, "application/json", body)
}

// redirect sends a browser to another page, with GET.
func redirect(target string) *reply {
	r := newReply(http.StatusSeeOther, "text/plain", nil)
	r.header.Set("Location", target)
	return r
}

// protocolError is an error of the protocol (RFC 6749, section 5.2).
type protocolError struct {
	status     int
	code, text string
}

func refused(code, text string) *protocolError {
	return &protocolError{http.StatusBadRequest, code, text}
}

func invalidRequest(text string) *protocolError { return refused("invalid_request", text) }

func invalidGrant(text string) *protocolError { return refused("invalid_grant", text) }

func failed(e *protocolError) *reply {
	return answer(e.status, object{"error": e.code, "error_description": e.text})
}
