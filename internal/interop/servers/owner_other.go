//go:build !linux

package servers

import "os/exec"

// bind does nothing here: servers that are not stopped stay.
func bind(*exec.Cmd) {}

// demote does nothing here: the servers are not started as root.
func demote(*exec.Cmd, string) error { return nil }
