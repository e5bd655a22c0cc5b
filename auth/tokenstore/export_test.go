package tokenstore

import "github.com/restconn/restconn/auth"

// NewFileSteps is NewFile with a function that is told each step of a change, and can make it fail.
func NewFileSteps(path string, step func(name string) error, opts ...Option) auth.TokenStore {
	return newFile(path, step, opts)
}

// NewMemoryBackend is what NewMemory is made of.
func NewMemoryBackend() Backend { return &memory{entries: make(map[auth.Key]*entry)} }

// FileName is how the files of a key begin.
func FileName(key auth.Key) string { return fileName(key) }

// LockError is how a lock that failed is explained.
func LockError(err error) error { return lockError(err) }

// NewFileBackend is what NewFile is made of.
func NewFileBackend(path string) Backend { return newFile(path, nil, nil).(*leased).backend }
