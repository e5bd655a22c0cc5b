package keystore

// Limit sets how many iterations one key derivation of s may have, so that tests are fast.
func Limit(s *Store, iterations int64) *Store {
	s.iterations = iterations
	return s
}

// The limits, for tests that go beyond them.
const (
	MaxFile         = maxFile
	MaxCertificates = maxCertificates
	MaxSalt         = maxSalt
	MaxIterations   = maxIterations
)
