package connectiontest

import "github.com/restconn/restconn/connection"

// Option makes a connection use the network: [connection.WithTransport] with a [Network.Transport] of its own.
func (n *Network) Option() connection.Option {
	return connection.WithTransport(n.Transport())
}
