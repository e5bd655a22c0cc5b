package connection_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

// A server with a certificate of a private authority, which is trusted beside those of the system.
func ExampleWithTrustedCA() {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})

	conn, err := connection.New(server.URL, connection.WithTrustedCA(authority))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()
	fmt.Println(request.Get(conn, "/users").Exec(context.Background()), conn.Describe().Pool.Trust)

	_, err = connection.New(server.URL, connection.WithTrustedCA([]byte("-----BEGIN JUNK")))
	fmt.Println(err)
	// Output:
	// <nil> system and 1 given
	// connection: WithTrustedCA: text 1: there is a PEM block that cannot be read
}

// The server asks the client for a certificate (mutual TLS).
func ExampleWithClientCertificate() {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		fmt.Println("the client is", req.TLS.PeerCertificates[0].Subject)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})

	// In earnest it comes from tls.LoadX509KeyPair, or from a keystore.
	mine := server.TLS.Certificates[0]
	conn, err := connection.New(server.URL,
		connection.WithTrustedCAOnly(authority),
		connection.WithClientCertificate(connection.StaticCertificate(mine)),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()
	if err := request.Get(conn, "/users").Exec(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: the client is O=Acme Co
}

// A key that is not pinned is refused before anything is sent, whoever has signed it.
func ExampleWithPinnedKeys() {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()

	const spare = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for _, pins := range [][]string{{spare}, {spare, connection.PinOf(server.Certificate())}} {
		conn, err := connection.New(server.URL, connection.WithInsecureSkipVerify(), connection.WithPinnedKeys(pins...))
		if err != nil {
			fmt.Println(err)
			return
		}
		err = request.Get(conn, "/users").Exec(context.Background())
		_, refused := errors.AsType[*connection.PinError](err)
		fmt.Println("refused:", refused)
		_ = conn.Close()
	}
	// Output:
	// refused: true
	// refused: false
}
