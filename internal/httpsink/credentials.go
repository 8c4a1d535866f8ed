package httpsink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/fapilog/fapilog/sinks"
)

// A watched file is one whose contents may be replaced while the program runs,
// as those of secrets that are mounted into a container are. What is compared
// is what rotation changes: the time, the size, and which file it is.
type watched struct {
	path string
	info fs.FileInfo // nil: not read yet
}

// changed reports whether the file is not the one that was read last. It is to
// be called before the file is read: what changes in between is found the next
// time.
func (w *watched) changed() (bool, error) {
	info, err := os.Stat(w.path)
	if err != nil {
		w.info = nil
		return false, err
	}
	same := w.info != nil && os.SameFile(info, w.info) && info.Size() == w.info.Size() && info.ModTime().Equal(w.info.ModTime())
	w.info = info
	if time.Since(info.ModTime()) < settled {
		w.info = nil
	}
	return !same, nil
}

// settled is how old a file has to be to be known by its time: before that, it
// may be written to again without a change of the time, which some file systems
// count in steps of 2 s.
const settled = 3 * time.Second

// maxFile bounds the size of a file with credentials, in bytes: what is larger
// is not what it should be, or never ends.
const maxFile = 1 << 20

// readFile reads a small file. Its errors do not show the path: it may be
// anything, if it was mistyped.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is a directory, a pipe or a device") // a pipe may keep Open waiting for ever
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, withoutPath(err)
	case len(text) > maxFile:
		return nil, errors.New("it has more than 1 MiB")
	}
	return text, nil
}

func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// A bearer token, as it is or in a file.
type bearer struct {
	file  watched // path "": the token does not change
	token string
}

// maxToken is more than servers allow for all headers, in bytes. It is less
// than what is read of an answer, so that a token in there is found.
const maxToken = 8 << 10

// current returns the token, or "" if there is none.
func (b *bearer) current() (string, error) {
	if b.file.path == "" {
		return b.token, nil
	}
	changed, err := b.file.changed()
	if err != nil {
		return "", fmt.Errorf("read token_file: %w", withoutPath(err))
	}
	if !changed {
		return b.token, nil
	}
	text, err := readFile(b.file.path)
	if err == nil {
		// Editors on Windows begin files with the mark.
		b.token = strings.TrimSpace(strings.TrimPrefix(string(text), "\ufeff"))
		err = checkToken(b.token)
	}
	if err != nil {
		b.file.info = nil // read it again
		return "", fmt.Errorf("read token_file: %w", err)
	}
	return b.token, nil
}

// checkToken checks that a token can be sent.
func checkToken(token string) error {
	switch {
	case token == "":
		return errors.New("there is no token in it")
	case len(token) > maxToken:
		return errors.New("the token has more than 8 KiB")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return errors.New("the token has a blank, a line break or another character that no token has")
	}
	return nil
}

// A keyPair is a client certificate and its key, in files that are replaced
// before the certificate expires.
type keyPair struct {
	mu        sync.Mutex // connections may be made at the same time
	cert, key watched
	loaded    *tls.Certificate
}

// load reads the files if they have changed.
func (p *keyPair) load() error {
	certChanged, err := p.cert.changed()
	if err != nil {
		return &optionError{"cert_file", withoutPath(err).Error()}
	}
	keyChanged, err := p.key.changed()
	if err != nil {
		return &optionError{"key_file", withoutPath(err).Error()}
	}
	if !certChanged && !keyChanged {
		return nil
	}
	err = p.read()
	if err != nil {
		p.cert.info, p.key.info = nil, nil // read them again
	}
	return err
}

func (p *keyPair) read() error {
	cert, err := readFile(p.cert.path)
	if err != nil {
		return &optionError{"cert_file", err.Error()}
	}
	key, err := readFile(p.key.path)
	if err != nil {
		return &optionError{"key_file", err.Error()}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return &optionError{"cert_file", "with key_file: " + err.Error()}
	}
	p.loaded = &pair
	return nil
}

// certificate is for [tls.Config.GetClientCertificate]. While the files cannot
// be used, as between the replacement of one and that of the other, the last
// good pair is.
func (p *keyPair) certificate(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return p.get(info.Context())
}

func (p *keyPair) get(ctx context.Context) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.load(); err != nil {
		sinks.Warn(ctx, fmt.Errorf("%w: the client certificate that was read before is still in use", err))
	}
	return p.loaded, nil
}
