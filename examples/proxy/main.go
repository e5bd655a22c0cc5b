// Proxy reaches a service through a proxy with user and password, and shows what happens where the proxy refuses, and
// where the environment names one that cannot be read: an error, and not a request past the proxy. Service and proxy
// are in server.go, in-process on loopback addresses.
package main

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// Order is what the service answers.
type Order struct {
	ID string `json:"id"`
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	api := startAPI()
	defer api.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})
	exit, server := startProxy()
	defer exit.tunnel.Wait()
	defer server.Close()
	host, port, err := address(server.Listener.Addr())
	if err != nil {
		return err
	}
	through := connection.Proxy{
		Mode: connection.ProxyCustom, Host: host, Port: port,
		User: proxyUser, Password: secrets.Static(proxyPassword),
	}

	fmt.Fprintln(out, "through the proxy:")
	if err := ask(ctx, out, api.URL, authority, through); err != nil {
		return err
	}
	fmt.Fprintln(out, "the proxy was asked:", strings.Join(exit.log(), ", "))

	fmt.Fprintln(out, "with another password:")
	through.Password = secrets.Static("let me in")
	refusal := ask(ctx, out, api.URL, authority, through)
	refused, ok := errors.AsType[*connection.ProxyError](refusal)
	if !ok {
		return fmt.Errorf("another error than expected: %w", refusal)
	}
	fmt.Fprintln(out, "  refused with status", refused.Status)

	fmt.Fprintln(out, "with https_proxy=http//typo:3128 in the environment:")
	if err := os.Setenv("https_proxy", "http//typo:3128"); err != nil {
		return err
	}
	defer func() { _ = os.Unsetenv("https_proxy") }()
	if _, err := connection.New(api.URL); err != nil {
		fmt.Fprintln(out, " ", err)
	}
	return nil
}

// ask opens a connection through the proxy, and asks for an order.
func ask(
	ctx context.Context, out io.Writer, base string, authority []byte, through connection.Proxy,
) (err error) {
	conn, err := connection.New(base,
		connection.WithTrustedCA(authority),
		connection.WithProxy(through),
	)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	order, err := request.Do[Order](ctx, request.Get(conn, "/orders/{id}").Path("id", "7"))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "  order", order.ID)
	return nil
}

func address(addr net.Addr) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}
