package main

import (
	"encoding/base64"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
)

const (
	proxyUser     = "crm"
	proxyPassword = "let me out"
)

// startAPI starts the service that is to be reached, with a certificate of a private authority.
func startAPI() *httptest.Server {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "" {
			http.Error(w, "that was for the proxy", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"7"}`)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	return server
}

// proxy is a proxy that wants to know who is there (RFC 9110, section 11.7).
type proxy struct {
	mu     sync.Mutex
	asked  []string
	tunnel sync.WaitGroup
}

func startProxy() (*proxy, *httptest.Server) {
	p := new(proxy)
	return p, httptest.NewServer(p)
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(proxyUser+":"+proxyPassword))
	allowed := r.Method == http.MethodConnect && r.Header.Get("Proxy-Authorization") == want
	status := http.StatusOK
	if !allowed {
		status = http.StatusProxyAuthRequired
	}
	p.note(r.Method, status)
	if !allowed {
		w.Header().Set("Proxy-Authenticate", `Basic realm="the way out"`)
		w.WriteHeader(status)
		return
	}
	p.connect(w, r.Host)
}

// connect hands on what the two sides say, until one of them ends.
func (p *proxy) connect(w http.ResponseWriter, target string) {
	to, err := net.Dial("tcp", target) //nolint:noctx // on loopback, and for an example
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusOK)
	from, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = to.Close()
		return
	}
	p.tunnel.Go(func() { _, _ = io.Copy(to, from); _ = to.Close() })
	p.tunnel.Go(func() { _, _ = io.Copy(from, to); _ = from.Close() })
}

func (p *proxy) note(method string, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, method+" "+http.StatusText(status))
}

// log returns what the proxy was asked, and what it answered.
func (p *proxy) log() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}
