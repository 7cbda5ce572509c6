// Package certs makes and uses the certificates by which servers and clients of remote execution know each other over a network: a
// small certificate authority of one's own, which signs one certificate for servers and one for clients.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The files in a directory of certificates. A server needs ca.pem and the server's two, a client ca.pem and the client's two; ca.key
// is needed to make more, and best kept elsewhere.
const (
	caCert, caKey         = "ca.pem", "ca.key"
	serverCert, serverKey = "server.pem", "server.key"
	clientCert, clientKey = "client.pem", "client.key"
)

// lifetime is how long certificates are valid.
const lifetime = 10 * 365 * 24 * time.Hour

// backdate is how much the clocks of two hosts may differ.
const backdate = 24 * time.Hour

// Make makes a certificate authority and the two pairs, in a directory that must not have one. names are the host names and addresses
// under which clients know the server.
func Make(dir string, names []string) error {
	if len(names) == 0 {
		return errors.New("certificates: no name for the server")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	now := time.Now()
	ca := &x509.Certificate{
		Subject: pkix.Name{CommonName: "farcall CA"}, NotBefore: now.Add(-backdate), NotAfter: now.Add(lifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key, err := sign(dir, caCert, caKey, ca, ca, nil)
	if err != nil {
		return err
	}
	server := &x509.Certificate{
		Subject: pkix.Name{CommonName: names[0]}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			server.IPAddresses = append(server.IPAddresses, ip)
		} else {
			server.DNSNames = append(server.DNSNames, n)
		}
	}
	if _, err = sign(dir, serverCert, serverKey, server, ca, key); err != nil {
		return err
	}
	client := &x509.Certificate{
		Subject: pkix.Name{CommonName: "farcall client"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	_, err = sign(dir, clientCert, clientKey, client, ca, key)
	return err
}

// sign makes a key and a certificate for it, signed by the parent's key, or its own if that is nil.
func sign(dir, certFile, keyFile string, cert, parent *x509.Certificate, by *ecdsa.PrivateKey) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	if by == nil {
		by = key
	}
	if cert.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, by)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	if err := write(filepath.Join(dir, keyFile), "PRIVATE KEY", secret, 0o600); err != nil {
		return nil, err
	}
	return key, write(filepath.Join(dir, certFile), "CERTIFICATE", der, 0o644)
}

// write writes a new file: certificates that are in use are not overwritten.
func write(file, kind string, b []byte, mode os.FileMode) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	err = pem.Encode(f, &pem.Block{Type: kind, Bytes: b})
	return errors.Join(err, f.Close())
}

// Server is the configuration of a server that knows only clients which the authority has signed.
func Server(dir string) (*tls.Config, error) {
	c, pool, err := load(dir, serverCert, serverKey)
	if err != nil {
		return nil, err
	}
	c.ClientCAs, c.ClientAuth = pool, tls.RequireAndVerifyClientCert
	return c, nil
}

// Client is the configuration of a client that knows only servers which the authority has signed for the name.
func Client(dir, name string) (*tls.Config, error) {
	c, pool, err := load(dir, clientCert, clientKey)
	if err != nil {
		return nil, err
	}
	c.RootCAs, c.ServerName = pool, name
	return c, nil
}

func load(dir, certFile, keyFile string) (*tls.Config, *x509.CertPool, error) {
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, certFile), filepath.Join(dir, keyFile))
	if err != nil {
		return nil, nil, fmt.Errorf("certificate: %w", err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, caCert))
	if err != nil {
		return nil, nil, fmt.Errorf("certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, nil, fmt.Errorf("certificate: %s: no certificate in it", filepath.Join(dir, caCert))
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}}, pool, nil
}
