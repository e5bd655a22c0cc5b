// Package importrules holds the table of who may import whom in this module, and the tests that keep to it.
//
// It declares nothing: the table and its checker are in importrules_test.go, and run with all other tests. A package
// that the table does not know fails the test, so that a new one gets its place in the order knowingly.
package importrules
