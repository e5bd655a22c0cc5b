#!/bin/sh
# Makes the stores of the tests anew, beside this script. It needs openssl 3, keytool and javac 17 or later. Everything
# in them is for tests: all passwords are below, and the certificates are valid for 100 years.
set -eu
cd "$(dirname "$0")"
find . -maxdepth 1 -type f ! -name '*.sh' -delete
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
days=36500

# authority NAME SUBJECT: a root. issue NAME ISSUER SUBJECT KEYSPEC [EXTENSIONS]: a certificate below it.
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days $days -sha256 -keyout "$work/$1.key" \
		-out "$work/$1.pem" -subj "/CN=$2" -addext keyUsage=critical,keyCertSign 2>/dev/null
}
issue() {
	openssl genpkey $4 -out "$work/$1.key" 2>/dev/null
	openssl req -new -key "$work/$1.key" -out "$work/$1.csr" -subj "/CN=$3"
	printf '%b' "${5:-extendedKeyUsage=clientAuth}\n" >"$work/$1.ext"
	openssl x509 -req -in "$work/$1.csr" -CA "$work/$2.pem" -CAkey "$work/$2.key" -CAcreateserial -sha256 -days $days \
		-extfile "$work/$1.ext" -out "$work/$1.pem" 2>/dev/null
}
ec='-algorithm EC -pkeyopt ec_paramgen_curve:P-256'
authority root 'Test Root'
authority other 'Other Root'
issue issuing root 'Test Issuing' "$ec" 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign'
issue rsa issuing client-rsa '-algorithm RSA -pkeyopt rsa_keygen_bits:2048'
issue ec issuing client-ec "$ec"
issue ed issuing client-ed '-algorithm ED25519'
cat "$work/issuing.pem" "$work/root.pem" >"$work/chain.pem"

# PEM
cat "$work/rsa.pem" "$work/chain.pem" >rsa.pem
cp "$work/rsa.key" rsa.key
cat "$work/root.pem" "$work/issuing.pem" "$work/ec.key" "$work/ec.pem" >ec-unordered.pem
cat "$work/ec.pem" "$work/chain.pem" "$work/ed.key" "$work/ec.key" >ec-two-keys.pem
cat "$work/ed.pem" "$work/chain.pem" "$work/ed.key" >ed.pem
cat "$work/root.pem" "$work/other.pem" >roots.pem
openssl rsa -in rsa.key -traditional -out rsa-pkcs1.key 2>/dev/null
openssl ec -in "$work/ec.key" -out ec-sec1.key 2>/dev/null
cp "$work/ec.pem" ec-leaf.pem
openssl pkcs8 -topk8 -v2 aes-256-cbc -in rsa.key -passout pass:keypass -out rsa-pbes2.key
openssl pkcs8 -topk8 -v2 des3 -v2prf hmacWithSHA512 -in rsa.key -passout pass:keypass -out rsa-des3.key
openssl pkcs8 -topk8 -scrypt -in rsa.key -passout pass:keypass -out rsa-scrypt.key
openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -in rsa.key -passout pass:keypass -out rsa-pbes1.key
openssl rsa -aes256 -traditional -in rsa.key -passout pass:keypass -out rsa-legacy.key 2>/dev/null
openssl x509 -in "$work/root.pem" -outform DER -out root.der

# PKCS#12 of OpenSSL
export12() { # OUT KEY PASSWORD MORE...
	out=$1 key=$2 pass=$3
	shift 3
	openssl pkcs12 -export -inkey "$work/$key.key" -in "$work/$key.pem" -certfile "$work/chain.pem" -name "$key" \
		-passout "pass:$pass" -out "$out" "$@"
}
export12 rsa.p12 rsa storepass
export12 rsa-legacy.p12 rsa storepass -legacy
export12 ed-legacy.p12 ed storepass -legacy
export12 ec-3des.p12 ec storepass -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES
export12 ec-sha512.p12 ec storepass -macalg sha512
export12 ec-sha384.p12 ec storepass -macalg sha384
export12 ed.p12 ed storepass
export12 ec-empty.p12 ec ''
export12 ec-legacy-empty.p12 ec '' -legacy
export12 ec-unicode.p12 ec 'pässwörd€'
export12 ec-plain.p12 ec storepass -keypbe NONE -certpbe NONE
export12 ec-iterations.p12 ec storepass -iter 65536
export12 ec-nomac.p12 ec storepass -nomac
openssl pkcs12 -export -nokeys -in roots.pem -passout pass:storepass -out trust-openssl.p12
openssl pkcs12 -export -nokeys -legacy -in roots.pem -passout pass:storepass -out trust-openssl-legacy.p12
openssl pkcs12 -export -nocerts -inkey "$work/ec.key" -passout pass:storepass -out key-only.p12

# Java: the same keys, in all its formats
import() { # STORE TYPE ALIAS KEYPASS MORE...
	store=$1 type=$2 alias=$3 keypass=$4
	shift 4
	[ -f "$work/$alias.in.p12" ] || export12 "$work/$alias.in.p12" "$alias" storepass
	keytool -importkeystore -noprompt -srckeystore "$work/$alias.in.p12" -srcstoretype PKCS12 -srcstorepass storepass \
		-srcalias "$alias" -destkeystore "$store" -deststoretype "$type" -deststorepass storepass \
		-destkeypass "$keypass" "$@" 2>/dev/null
}
trust() { # STORE TYPE ALIAS FILE MORE...
	store=$1 type=$2 alias=$3 file=$4
	shift 4
	keytool "$@" -importcert -noprompt -alias "$alias" -file "$work/$file.pem" -keystore "$store" -storetype "$type" \
		-storepass storepass 2>/dev/null
}
old=-J-Dkeystore.pkcs12.legacy
import rsa.jks JKS rsa storepass
import rsa-other.jks JKS rsa keypass
import two.jks JKS ed keypass-ed
import two.jks JKS ec keypass-ec
import rsa.jceks JCEKS rsa storepass
import two.p12 PKCS12 ed storepass
import two.p12 PKCS12 ec storepass
import two-legacy.p12 PKCS12 rsa storepass $old
import two-legacy.p12 PKCS12 ec storepass $old
import mixed.p12 PKCS12 ec storepass
import mixed-legacy.p12 PKCS12 ec storepass $old
import mixed.jks JKS ec storepass
for n in mixed.p12 trust.p12; do trust $n PKCS12 root root; done
for n in mixed-legacy.p12 trust-legacy.p12; do trust $n PKCS12 root root $old; done
for n in mixed.jks trust.jks; do trust $n JKS root root; done
trust trust.p12 PKCS12 other other
trust trust-legacy.p12 PKCS12 other other $old
trust trust.jks JKS other other
trust trust-nomac.p12 PKCS12 root root -J-Dkeystore.pkcs12.macAlgorithm=NONE -J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE
keytool -genseckey -alias aes -keyalg AES -keysize 256 -keystore secret.p12 -storetype PKCS12 -storepass storepass

# What only the API of Java makes: a PKCS#12 whose key has another password, and a JKS with a password that is not ASCII
cat >"$work/Make.java" <<'JAVA'
import java.io.*;
import java.security.KeyStore;

public class Make {
	public static void main(String[] args) throws Exception {
		char[] store = "storepass".toCharArray(), key = "keypass".toCharArray();
		KeyStore in = KeyStore.getInstance("PKCS12");
		try (var f = new FileInputStream(args[0])) { in.load(f, store); }
		save("PKCS12", in, store, key, "ec-other.p12");
		save("JKS", in, "p\u00e4ss\u20ac".toCharArray(), "p\u00e4ss".toCharArray(), "ec-unicode.jks");
	}

	static void save(String type, KeyStore in, char[] store, char[] key, String name) throws Exception {
		KeyStore out = KeyStore.getInstance(type);
		out.load(null, store);
		out.setKeyEntry("ec", in.getKey("ec", "storepass".toCharArray()), key, in.getCertificateChain("ec"));
		try (var f = new FileOutputStream(name)) { out.store(f, store); }
	}
}
JAVA
java "$work/Make.java" "$work/ec.in.p12"
