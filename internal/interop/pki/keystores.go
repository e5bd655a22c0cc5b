package pki

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/restconn/restconn/internal/interop/debian"
)

// The passwords of [Keystores].
const (
	StorePassword = "store-password-1"
	KeyPassword   = "key-password-2"
)

// Keystores are files with the same client, and with the authority that it trusts. A file that asks for a password asks
// for [StorePassword]; the key in JKS, JCEKS and the key files has [KeyPassword].
type Keystores struct {
	// CertPEM is the certificate and those above it, KeyPEM the key in clear text, CAPEM the authority.
	CertPEM, KeyPEM, CAPEM string
	// EncryptedKeyPEM is the key as encrypted PKCS#8, LegacyKeyPEM the key as OpenSSL wrote it before that.
	EncryptedKeyPEM, LegacyKeyPEM string
	// PKCS12 and LegacyPKCS12 are by openssl, with the key, its certificate and the authority: one is as of today, one
	// with RC2, triple DES and SHA-1. KeytoolPKCS12 is the first one, written anew by keytool.
	PKCS12, LegacyPKCS12, KeytoolPKCS12 string
	// JKS and JCEKS hold the key under the alias [Alias]. A JCEKS file is for a Java program only.
	JKS, JCEKS string
	// TrustPKCS12 and TrustJKS hold the authority and no key.
	TrustPKCS12, TrustJKS string
}

// Alias is the name of the entry in a keystore.
const Alias = "client"

// Keystores has the files of a client written into a directory by openssl and keytool, which are installed if they are
// missing and we may.
func (s *Set) Keystores(ctx context.Context, dir string, client *Pair) (*Keystores, error) {
	at := func(name string) string { return filepath.Join(dir, name) }
	k := &Keystores{
		CertPEM: at("client.pem"), KeyPEM: at("client.key"), CAPEM: at("ca.pem"),
		EncryptedKeyPEM: at("client.pkcs8.key"), LegacyKeyPEM: at("client.legacy.key"),
		PKCS12: at("client.p12"), LegacyPKCS12: at("client.legacy.p12"), KeytoolPKCS12: at("client.keytool.p12"),
		JKS: at("client.jks"), JCEKS: at("client.jceks"),
		TrustPKCS12: at("trust.p12"), TrustJKS: at("trust.jks"),
	}
	for path, text := range map[string][]byte{
		k.CertPEM: client.CertPEM, k.KeyPEM: client.KeyPEM, k.CAPEM: s.CA.PEM,
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return nil, err
		}
	}
	if err := k.openssl(ctx); err != nil {
		return nil, err
	}
	if err := k.keytool(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// openssl writes what openssl writes.
func (k *Keystores) openssl(ctx context.Context) error {
	openssl, err := debian.Program(ctx, "openssl", "openssl", "/usr/bin/openssl")
	if err != nil {
		return err
	}
	// RC2 is in a file of its own, which is in a package of its own from Debian 13 on.
	if _, err := debian.File(ctx, "/usr/lib/*/ossl-modules/legacy.so", "openssl-provider-legacy"); err != nil {
		return err
	}
	export := []string{
		"pkcs12", "-export", "-in", k.CertPEM, "-inkey", k.KeyPEM, "-certfile", k.CAPEM, "-name", Alias,
		"-passout", "pass:" + StorePassword,
	}
	for _, args := range [][]string{
		append(slices.Clip(export), "-out", k.PKCS12),
		append(slices.Clip(export), "-legacy", "-out", k.LegacyPKCS12),
		{
			"pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", k.KeyPEM, "-passout", "pass:" + KeyPassword,
			"-out", k.EncryptedKeyPEM,
		},
		{
			"pkey", "-aes256", "-traditional", "-in", k.KeyPEM, "-passout", "pass:" + KeyPassword, "-out", k.LegacyKeyPEM,
		},
	} {
		if err := run(ctx, openssl, args); err != nil {
			return err
		}
	}
	return nil
}

// keytool writes what keytool writes.
func (k *Keystores) keytool(ctx context.Context) error {
	keytool, err := debian.Program(ctx, "keytool", "default-jre-headless", "/usr/lib/jvm/*/bin/keytool")
	if err != nil {
		return err
	}
	convert := func(kind, file string, more ...string) []string {
		return append([]string{
			"-importkeystore", "-noprompt", "-srckeystore", k.PKCS12, "-srcstoretype", "PKCS12",
			"-srcstorepass", StorePassword, "-srcalias", Alias,
			"-destkeystore", file, "-deststoretype", kind, "-deststorepass", StorePassword,
		}, more...)
	}
	trust := func(kind, file string) []string {
		return []string{
			"-importcert", "-noprompt", "-alias", "ca", "-file", k.CAPEM, "-keystore", file, "-storetype", kind,
			"-storepass", StorePassword,
		}
	}
	for _, args := range [][]string{
		convert("PKCS12", k.KeytoolPKCS12),
		convert("JKS", k.JKS, "-destkeypass", KeyPassword),
		convert("JCEKS", k.JCEKS, "-destkeypass", KeyPassword),
		trust("PKCS12", k.TrustPKCS12), trust("JKS", k.TrustJKS),
	} {
		// Without this, Java leaves files in the directory for temporary ones.
		if err := run(ctx, keytool, append(args, "-J-XX:-UsePerfData")); err != nil {
			return err
		}
	}
	return nil
}

func run(ctx context.Context, program string, args []string) error {
	if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), args[0], err, out)
	}
	return nil
}
