// Package keystore reads TLS identities and trusted roots from PEM, PKCS#12 and JKS files.
//
//	identity := keystore.File("/etc/pki/client.p12", keystore.Password(secrets.Env("STORE_PASS")))
//	roots := keystore.File("/etc/pki/trust.jks", keystore.Password(secrets.Env("TRUST_PASS")))
//
// A [Store] opens nothing before [Store.Identity] or [Store.Roots] is called, so that it can be described where the
// file does not exist yet. Each call reads the file anew and decodes it only if its bytes have changed. That makes a
// Store fit for looking at it again and again: while nothing changes, the same pointer comes back. If a new file
// cannot be read, that is an error, and the caller goes on with what it had.
//
// # Formats
//
// The format is recognised by the first bytes, and the name of the file means nothing.
//
//	PEM       certificates, and keys as PKCS#8, PKCS#1 or SEC1; encrypted keys as PKCS#8 with PBES2 (PBKDF2, scrypt)
//	PKCS#12   of Java, OpenSSL and Windows, also with the old encryption (3DES, RC2); several keys; trust stores
//	JKS       version 1 and 2; the key may have another password than the store
//
// Keys are RSA, ECDSA or Ed25519.
//
// # As Java does it, and not
//
// A trust store takes the place of the system's roots: a server whose certificate comes from a public authority is
// not trusted unless that authority is in the store. [Store.Roots] returns what takes that place. Only entries that
// are trusted certificates count; the chain beside a private key does not.
//
// A JKS that is read without [Password] is read without a look at its digest, and its certificates are taken as they
// are. Whoever can write the file can then add a root. A PKCS#12 without MAC has no such protection at all.
//
// Java takes any entry that fits; here [Alias] chooses, or the first alias of all.
//
// # What cannot be read
//
// [ErrUnsupported] comes with the command that converts the file:
//
//	JCEKS, BKS    keytool -importkeystore -srckeystore OLD -srcstoretype JCEKS -destkeystore NEW -deststoretype PKCS12
//	PKCS#12, BER  keytool -importkeystore -srckeystore OLD -srcstoretype PKCS12 -destkeystore NEW -deststoretype PKCS12
//	Proc-Type     openssl pkcs8 -topk8 -in OLD -out NEW
//	DER           openssl x509 -inform DER -in OLD -out NEW
//
// Of PKCS#12 that are also: a MAC other than with SHA-1, SHA-256, SHA-512 or PBMAC1; and with the old encryption, a
// part that mixes trusted certificates and others, and [Alias] in a trust store.
//
// # Limits
//
// A file has at most 4 MiB, 4096 entries and 2048 certificates of 64 KiB each and 1 MiB in all, and a key 12 KiB. One
// derivation of a key from a password has at most 5,000,000 iterations, or 32 MiB with scrypt, and all of one call
// together at most 20,000,000 iterations. Lengths, counts and costs are checked before memory is set aside and before
// anything is derived. What is beyond a limit is [ErrTooLarge].
package keystore
