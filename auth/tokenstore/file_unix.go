//go:build unix && !aix

package tokenstore

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

const (
	readFlags = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOFOLLOW
	lockFlags = os.O_CREATE | os.O_RDWR | syscall.O_NONBLOCK | syscall.O_NOFOLLOW
)

// ownerOf returns the user id of the owner.
func ownerOf(info fs.FileInfo) (uid int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

// isLink reports what opening a symbolic link fails with.
func isLink(err error) bool { return errors.Is(err, syscall.ELOOP) }

// noLocks reports an error of a file system, or of its server, that cannot lock.
func noLocks(err error) bool { return errors.Is(err, syscall.ENOLCK) }
