package connectiontest

import (
	"encoding/pem"

	"github.com/restconn/restconn/connection"
)

// Option makes a connection use the network: it is reached with [Network.Dial], only its authority is trusted, and no
// proxy is asked for. Options that follow can change that.
func (n *Network) Option() connection.Option {
	n.tb.Helper()
	return connection.Options(
		connection.WithDialContext(n.Dial),
		connection.WithTrustedCAOnly(n.Authority()),
		connection.WithProxy(connection.Proxy{Mode: connection.ProxyNone}),
		connection.WithTokenProxy(connection.Proxy{Mode: connection.ProxyNone}),
	)
}

// Authority returns the certificate of the network's authority in PEM.
func (n *Network) Authority() []byte {
	n.tb.Helper()
	root, err := n.ca.root()
	if err != nil {
		n.tb.Fatalf("connectiontest: %v", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})
}
