// Mtls proves with a client certificate who it is. The certificate lies in a file that somebody renews now and then,
// and once leaves half written; the connection notices the one and survives the other. The service, and the authority
// that signs for both sides, are in server.go, in-process on a loopback address.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/keystore"
	"github.com/restconn/restconn/request"
)

// Caller is what the service answers.
type Caller struct {
	Name string `json:"name"`
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	service, err := ca.start()
	if err != nil {
		return err
	}
	defer service.Close()
	dir, err := os.MkdirTemp("", "mtls")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "client.pem")
	if err := ca.renew(file, "crm in January"); err != nil {
		return err
	}

	conn, err := connection.New(service.URL,
		connection.WithTrustedCA(ca.pem()),
		// The same for a PKCS#12 or JKS: what it is, the file itself tells. Its password is keystore.Password.
		connection.WithClientCertificate(keystore.File(file)),
		connection.WithReloadInterval(time.Nanosecond), // with every request, for this example; the default is a minute
	)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()

	if err := ask(ctx, out, conn); err != nil {
		return err
	}
	fmt.Fprintln(out, "the certificate is renewed:")
	if err := ca.renew(file, "crm in February"); err != nil {
		return err
	}
	if err := ask(ctx, out, conn); err != nil {
		return err
	}
	fmt.Fprintln(out, "the file is broken:")
	if err := os.WriteFile(file, []byte("-----BEGIN CERT"), 0o600); err != nil {
		return err
	}
	if err := ask(ctx, out, conn); err != nil {
		return err
	}
	fmt.Fprintln(out, "  somebody can know:", conn.Describe().Pool.ReloadError != "")

	fmt.Fprintln(out, "without a certificate:")
	return refused(ctx, out, service.URL, ca.pem())
}

// ask asks the service whom it sees.
func ask(ctx context.Context, out io.Writer, conn *connection.Connection) error {
	caller, err := request.Do[Caller](ctx, request.Get(conn, "/whoami"))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "  the service sees", caller.Name)
	return nil
}

func refused(ctx context.Context, out io.Writer, base string, authority []byte) (err error) {
	conn, err := connection.New(base, connection.WithTrustedCA(authority))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	failure := request.Get(conn, "/whoami").Exec(ctx)
	if _, ok := errors.AsType[*connection.TransportError](failure); !ok {
		return fmt.Errorf("another error than expected: %w", failure)
	}
	fmt.Fprintln(out, "  the service refuses the handshake")
	return nil
}
