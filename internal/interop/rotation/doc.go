// Package rotation makes many workers renew one token that they share, against a server that forgives nothing: the
// proof that a store lets each refresh token be used once, and loses none.
package rotation
