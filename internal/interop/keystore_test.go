package interop_test

import (
	"bytes"
	"encoding/pem"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/internal/interop/pki"
)

// keystores returns the files that openssl and keytool have written.
func keystores(t *testing.T) *pki.Keystores {
	t.Helper()
	begin := time.Now()
	files, err := park.Keystores(t.Context())
	had(t, err)
	t.Logf("keystores after %v", time.Since(begin).Round(time.Millisecond))
	return files
}

// TestKeystoreFiles looks at what the files are, with the programs that know best.
func TestKeystoreFiles(t *testing.T) {
	k := keystores(t)
	run := func(name string, args ...string) string {
		if name == "keytool" {
			args = append(args, "-J-XX:-UsePerfData")
		}
		out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	for path, magic := range map[string]string{
		k.JKS: "\xfe\xed\xfe\xed", k.TrustJKS: "\xfe\xed\xfe\xed", k.JCEKS: "\xce\xce\xce\xce",
		k.PKCS12: "\x30", k.LegacyPKCS12: "\x30", k.KeytoolPKCS12: "\x30", k.TrustPKCS12: "\x30",
		k.EncryptedKeyPEM: "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
		k.LegacyKeyPEM:    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n",
	} {
		if data, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(data, []byte(magic)) {
			t.Errorf("%s: %.40q, %v", path, data, err)
		}
	}
	for _, tt := range []struct{ path, want string }{
		{k.PKCS12, "AES-256-CBC"}, {k.KeytoolPKCS12, "AES-256-CBC"}, {k.LegacyPKCS12, "pbeWithSHA1And40BitRC2-CBC"},
	} {
		got := run("openssl", "pkcs12", "-in", tt.path, "-passin", "pass:"+pki.StorePassword, "-legacy", "-info", "-nodes")
		if !strings.Contains(got, tt.want) || !strings.Contains(got, "BEGIN PRIVATE KEY") {
			t.Errorf("%s is not with %s:\n%s", tt.path, tt.want, got)
		}
	}
	for _, path := range []string{k.EncryptedKeyPEM, k.LegacyKeyPEM} {
		got := run("openssl", "pkey", "-in", path, "-passin", "pass:"+pki.KeyPassword)
		block, _ := pem.Decode([]byte(got))
		want, _ := pem.Decode(certificates(t).Client.KeyPEM)
		if block == nil || !bytes.Equal(block.Bytes, want.Bytes) {
			t.Errorf("%s holds another key", path)
		}
	}
	for path, want := range map[string]string{
		k.JKS: "PrivateKeyEntry", k.JCEKS: "PrivateKeyEntry", k.KeytoolPKCS12: "PrivateKeyEntry",
		k.TrustJKS: "trustedCertEntry", k.TrustPKCS12: "trustedCertEntry",
	} {
		got := run("keytool", "-list", "-keystore", path, "-storepass", pki.StorePassword)
		if !strings.Contains(got, want) || !strings.Contains(got, "contains 1 entry") {
			t.Errorf("%s:\n%s", path, got)
		}
	}
	// The key in a JKS file is not to be had with the password of the file.
	again := exec.CommandContext(t.Context(), "keytool", "-certreq", "-alias", pki.Alias, "-keystore", k.JKS,
		"-storepass", pki.StorePassword, "-keypass", pki.StorePassword, "-J-XX:-UsePerfData")
	if out, err := again.CombinedOutput(); err == nil {
		t.Errorf("the key has the password of the file: %s", out)
	}
	run("keytool", "-certreq", "-alias", pki.Alias, "-keystore", k.JKS,
		"-storepass", pki.StorePassword, "-keypass", pki.KeyPassword)
}
