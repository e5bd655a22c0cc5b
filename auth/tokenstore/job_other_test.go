//go:build !unix

package tokenstore_test

const jobVariable = "RESTCONN_TOKENSTORE_JOB"

// runJob is for systems with signals.
func runJob(string) int { return 1 }
