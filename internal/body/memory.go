// Package body has the request bodies that are made of others, and the one that lies in memory.
package body

import "bytes"

// Memory reads from memory: reading it never waits, so it needs no guard. There is nothing to close.
type Memory struct{ bytes.Reader }

// NewMemory returns a body of data, which must not change any more.
func NewMemory(data []byte) *Memory {
	m := new(Memory)
	m.Reset(data)
	return m
}

// Close does nothing.
func (*Memory) Close() error { return nil }
