//go:build !unix || aix

package tokenstore

import (
	"io/fs"
	"os"
)

const (
	readFlags = os.O_RDONLY
	lockFlags = os.O_CREATE | os.O_RDWR
)

// ownerOf knows no owners here.
func ownerOf(fs.FileInfo) (uid int, known bool) { return 0, false }

// isLink knows no links here.
func isLink(error) bool { return false }

// noLocks leaves the judgement to [errors.ErrUnsupported].
func noLocks(error) bool { return false }
