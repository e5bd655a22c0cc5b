package testidp

import "net/http/httptest"

// Start starts a server on a loopback address. Its URL takes the place of [Config].Issuer. The caller closes it.
func Start(c Config) (*Server, *httptest.Server) {
	server := httptest.NewUnstartedServer(nil)
	c.Issuer = "http://" + server.Listener.Addr().String()
	idp := New(c)
	server.Config.Handler = idp
	server.Start()
	return idp, server
}
