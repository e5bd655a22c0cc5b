// Package asnobody runs a test without privileges, where the superuser is denied nothing. It is for tests.
package asnobody
