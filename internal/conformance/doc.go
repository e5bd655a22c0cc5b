// Package conformance holds one test per row of the five documents that restconn implements, through its public API
// only, on the wire. Each document has a file; README.md lists the rows that have a test.
package conformance
