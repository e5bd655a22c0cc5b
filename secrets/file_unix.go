//go:build unix

package secrets

import (
	"os"
	"syscall"
)

const (
	openFlags = os.O_RDONLY | syscall.O_NONBLOCK
	hasModes  = true
)
