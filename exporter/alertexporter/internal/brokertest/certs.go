//go:build unix

package brokertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"time"
)

// writeCerts makes a certificate authority with one server and one client
// certificate. The common name of the client's is the user it logs in as.
func (b *Broker) writeCerts(user string) error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	issue := func(name string, serial int64, subject string, usage x509.ExtKeyUsage) error {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: subject},
			NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		}, ca, &key.PublicKey, caKey)
		if err != nil {
			return err
		}
		keyDER, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		return errors.Join(b.writePEM(name+".pem", "CERTIFICATE", der), b.writePEM(name+".key", "PRIVATE KEY", keyDER))
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	return errors.Join(
		b.writePEM("ca.pem", "CERTIFICATE", caDER),
		issue("server", 2, "127.0.0.1", x509.ExtKeyUsageServerAuth),
		issue("client", 3, user, x509.ExtKeyUsageClientAuth),
	)
}

func (b *Broker) writePEM(name, kind string, der []byte) error {
	return os.WriteFile(b.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// CAFile is the authority that clients must trust for TLSEndpoint.
func (b *Broker) CAFile() string { return b.path("ca.pem") }

// ClientCert gives the files of the client's certificate and key.
func (b *Broker) ClientCert() (cert, key string) { return b.path("client.pem"), b.path("client.key") }
