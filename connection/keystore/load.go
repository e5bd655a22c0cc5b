package keystore

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"

	"github.com/restconn/restconn/secrets"
)

// Identity returns the private key and its chain, leaf first, with Leaf set. The leaf is the certificate of the key,
// and each that follows is the issuer of the one before it, whatever their order in the file. Certificates that are
// not part of the chain are left out.
//
// Every call reads the files, and each file whole. If their bytes are those of the last call that succeeded, the very
// same pointer is returned, nothing is decoded and no password is asked for; and so it is if other bytes hold the
// same key and chain. A failure is not kept. What is returned is shared, and must not be changed.
//
// Concurrent calls run one after the other; a caller whose ctx ends leaves. Decoding itself is not interrupted: it
// takes milliseconds, and some seconds at the limits. Every error is an [*Error].
func (s *Store) Identity(ctx context.Context) (*tls.Certificate, error) {
	return load(ctx, s, &s.identity, source.identity, sameIdentity)
}

// Roots returns the trusted certificates: of a JKS the trusted entries, of a PKCS#12 those that are marked as trusted
// or, in a file without any mark and without keys, all; of a PEM file all. What a trust store holds is meant to stand
// in the place of the system's roots, as it does in Java, and not to be added to them.
//
// It reads, keeps and fails as [Store.Identity] does.
func (s *Store) Roots(ctx context.Context) (*x509.CertPool, error) {
	return load(ctx, s, &s.roots, source.pool, (*x509.CertPool).Equal)
}

// kept is the outcome of the last load that succeeded. Whoever has put something into turn may touch the rest.
type kept[T any] struct {
	turn  chan struct{}
	sum   [sha256.Size]byte
	value *T
}

func load[T any](
	ctx context.Context,
	s *Store,
	k *kept[T],
	decode func(source, context.Context) (*T, error),
	same func(*T, *T) bool,
) (*T, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return nil, wrap(s.path, "", context.Cause(ctx))
	}
	src, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	sum := src.sum()
	if k.value != nil && k.sum == sum {
		return k.value, nil
	}
	value, err := decode(src, ctx)
	if err != nil {
		return nil, wrap(src.path, src.format, err)
	}
	if k.value == nil || !same(k.value, value) {
		k.value = value
	}
	k.sum = sum
	return k.value, nil
}

// source is what one call has read.
type source struct {
	*Store

	format  Format
	data    []byte
	keyData []byte // of a pair of files
	cost    *budget
}

// read reads the files.
func (s *Store) read(ctx context.Context) (source, error) {
	src := source{Store: s, data: s.data, cost: newBudget(ctx, s.iterations)}
	var err error
	if s.place != inMemory {
		if src.data, err = readFile(ctx, s.path); err != nil {
			return source{}, wrap(s.path, "", err)
		}
	}
	if s.place == inFiles {
		if src.keyData, err = readFile(ctx, s.keyPath); err != nil {
			return source{}, wrap(s.keyPath, "", err)
		}
	}
	if len(src.data) > maxFile {
		return source{}, wrap(s.path, "", errFileSize())
	}
	src.format = recognise(src.data)
	return src, nil
}

// sum tells two readings apart. The length of the first part keeps the parts apart.
func (s source) sum() [sha256.Size]byte {
	parts := sha256.Sum256(s.data)
	if s.place == inFiles {
		key := sha256.Sum256(s.keyData)
		parts = sha256.Sum256(append(parts[:], key[:]...))
	}
	return parts
}

func (s source) identity(ctx context.Context) (*tls.Certificate, error) {
	switch s.format {
	case PEM:
		return s.pemIdentity(ctx)
	case JKS:
		return s.jksIdentity(ctx)
	case PKCS12:
		return s.pkcs12Identity(ctx)
	case JCEKS, BKS, Unknown:
	}
	return nil, s.unreadable()
}

func (s source) pool(ctx context.Context) (*x509.CertPool, error) {
	certificates, err := s.trusted(ctx)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, certificate := range certificates {
		pool.AddCert(certificate)
	}
	return pool, nil
}

func (s source) trusted(ctx context.Context) ([]*x509.Certificate, error) {
	switch s.format {
	case PEM:
		return s.pemRoots()
	case JKS:
		return s.jksRoots(ctx)
	case PKCS12:
		return s.pkcs12Roots(ctx)
	case JCEKS, BKS, Unknown:
	}
	return nil, s.unreadable()
}

// storePassword is "" where there is none.
func (s source) storePassword(ctx context.Context) (string, error) { return reveal(ctx, s.password) }

// secretOfKey is the password of the key; "" where there is none.
func (s source) secretOfKey(ctx context.Context) (string, error) {
	if s.keyPassword != nil {
		return reveal(ctx, s.keyPassword)
	}
	return reveal(ctx, s.password)
}

func reveal(ctx context.Context, p secrets.Provider) (string, error) {
	if p == nil {
		return "", nil
	}
	value, err := p.Secret(ctx)
	if err != nil {
		return "", err
	}
	return value.Reveal(), ctx.Err()
}
