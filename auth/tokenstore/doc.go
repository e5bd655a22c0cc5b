// Package tokenstore has the stores in which an [auth.Manager] keeps its tokens, and what other stores are made of.
//
// [NewMemory] and [NewFile] are here; databases have packages of their own below this one. A store of one's own is a
// [Backend] of five methods, which [Leased] turns into an [auth.TokenStore]: the order of lease, reading, exchange and
// saving is the same for all, and written once. [Sealed] encrypts what any store keeps.
package tokenstore
