//go:build !unix

package secrets

import "os"

const (
	openFlags = os.O_RDONLY
	hasModes  = false
)
