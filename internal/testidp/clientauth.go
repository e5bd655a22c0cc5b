package testidp

import (
	"net/http"
	"net/url"
)

// authenticate returns the client of a call (RFC 6749, section 2.3). Only a public client needs no more than its ID.
func (s *Server) authenticate(req *http.Request) (*Client, *protocolError) {
	form := req.PostForm
	for _, values := range form {
		if len(values) > 1 {
			return nil, invalidRequest("a parameter is there twice")
		}
	}
	id, secret, inHeader := req.BasicAuth()
	if inHeader {
		var errID, errSecret error
		id, errID = url.QueryUnescape(id)
		secret, errSecret = url.QueryUnescape(secret)
		switch {
		case errID != nil || errSecret != nil:
			return nil, invalidClient()
		case form.Has("client_secret") || form.Has("client_id") && form.Get("client_id") != id:
			return nil, invalidRequest("the client authenticates in two ways")
		}
	} else {
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	client := s.config.client(id)
	if client == nil || !same(client.Secret, secret) {
		return nil, invalidClient()
	}
	return client, nil
}

func invalidClient() *protocolError {
	return &protocolError{http.StatusUnauthorized, "invalid_client", "the client is unknown, or its secret is wrong"}
}

// forClient lets endpoint answer a client that has authenticated.
func (s *Server) forClient(
	req *http.Request, endpoint func(client *Client, form url.Values) (*reply, *protocolError),
) *reply {
	client, fault := s.authenticate(req)
	if fault == nil {
		var r *reply
		if r, fault = endpoint(client, req.PostForm); fault == nil {
			return r
		}
	}
	r := failed(fault)
	if fault.status == http.StatusUnauthorized {
		r.header.Set("WWW-Authenticate", `Basic realm="testidp"`)
	}
	return r
}
