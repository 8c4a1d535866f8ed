package secretfile

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/fapilog/fapilog/sinks"
)

// TLS are the files of a TLS client. Each may be "".
type TLS struct {
	CA        string // PEM; trusted instead of the system's authorities
	Cert, Key string // PEM; client certificate, read again when they have changed
}

// A Problem is what is wrong with one of the files, under the name that it has
// as a parameter: ca_file, cert_file or key_file.
type Problem struct{ Name, Reason string }

func (p *Problem) Error() string { return p.Name + ": " + p.Reason }

// Config reads the files, and returns a configuration for TLS 1.2 or newer that
// verifies certificates. The configuration is there whatever is wrong.
func (t TLS) Config() (*tls.Config, []*Problem) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	var problems []*Problem
	for _, p := range []*Problem{t.authorities(c), t.certificate(c)} {
		if p != nil {
			problems = append(problems, p)
		}
	}
	return c, problems
}

func (t TLS) authorities(c *tls.Config) *Problem {
	if t.CA == "" {
		return nil
	}
	text, err := Read(t.CA)
	if err != nil {
		return &Problem{"ca_file", err.Error()}
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(text) {
		return &Problem{"ca_file", "there is no certificate in it that is in PEM form"}
	}
	return nil
}

func (t TLS) certificate(c *tls.Config) *Problem {
	switch {
	case t.Cert == "" && t.Key == "":
		return nil
	case t.Cert == "":
		return &Problem{"key_file", "it goes with cert_file, which is missing"}
	case t.Key == "":
		return &Problem{"cert_file", "it goes with key_file, which is missing"}
	}
	pair := &keyPair{cert: Watched{Path: t.Cert}, key: Watched{Path: t.Key}}
	if p := pair.load(); p != nil {
		return p
	}
	c.GetClientCertificate = pair.get
	return nil
}

// A keyPair is a client certificate and its key, in files that are replaced
// before the certificate expires.
type keyPair struct {
	mu        sync.Mutex // connections may be made at the same time
	cert, key Watched
	loaded    *tls.Certificate
}

// load reads the files if they have changed.
func (p *keyPair) load() *Problem {
	certChanged, err := p.cert.Changed()
	if err != nil {
		return &Problem{"cert_file", err.Error()}
	}
	keyChanged, err := p.key.Changed()
	if err != nil {
		return &Problem{"key_file", err.Error()}
	}
	if !certChanged && !keyChanged {
		return nil
	}
	problem := p.read()
	if problem != nil {
		p.cert.Forget()
		p.key.Forget()
	}
	return problem
}

func (p *keyPair) read() *Problem {
	cert, err := Read(p.cert.Path)
	if err != nil {
		return &Problem{"cert_file", err.Error()}
	}
	key, err := Read(p.key.Path)
	if err != nil {
		return &Problem{"key_file", err.Error()}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return &Problem{"cert_file", "with key_file: " + err.Error()}
	}
	p.loaded = &pair
	return nil
}

// get is for [tls.Config.GetClientCertificate]. While the files cannot be used,
// as between the replacement of one and that of the other, the last good pair
// is.
func (p *keyPair) get(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return p.certificate(info.Context())
}

func (p *keyPair) certificate(ctx context.Context) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if problem := p.load(); problem != nil {
		sinks.Warn(ctx, fmt.Errorf("%w: the client certificate that was read before is still in use", problem))
	}
	return p.loaded, nil
}

// Refused reports that a connection failed because one side does not accept the
// other's certificate or does not speak TLS: waiting does not help.
func Refused(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true // the other side does not speak TLS
	}
	// The type of an alert of the other side is not exported.
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}
