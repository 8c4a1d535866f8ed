package httpsink

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/fapilog/fapilog/internal/secretfile"
)

// A bearer token or an API key, as it is or in a file.
type bearer struct {
	scheme string                                            // of Authorization
	param  string                                            // the name of the parameter for the file
	shape  func(given string) (token string, parts []string) // nil: it is sent as it was given
	file   secretfile.Watched                                // Path "": the token does not change
	token  string
	parts  []string // of the token, that must not be shown either
}

// keyShape returns an API key as it is sent, and its parts. It is given to people
// in two forms: id:key, and the base64 of that.
func keyShape(given string) (key string, parts []string) {
	plain := given
	if strings.Contains(given, ":") {
		given = base64.StdEncoding.EncodeToString([]byte(plain))
	} else {
		// Servers take it without the padding, too, and what they do not take must
		// not be shown, either.
		unpadded := strings.TrimRight(given, "=")
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if decoded, err := e.DecodeString(unpadded); err == nil {
				plain = string(decoded)
			}
		}
	}
	if _, secret, found := strings.Cut(plain, ":"); found && secret != "" {
		parts = []string{secret}
	}
	return given, parts
}

// set checks a token and takes it.
func (b *bearer) set(token string) error {
	// Editors on Windows begin files with the mark.
	token = strings.TrimSpace(strings.TrimPrefix(token, "\ufeff"))
	err := checkToken(token)
	b.parts = nil
	if b.shape != nil {
		token, b.parts = b.shape(token)
	}
	b.token = token
	return err
}

// maxToken is more than servers allow for all headers, in bytes. It is less
// than what is read of an answer, so that a token in there is found.
const maxToken = 8 << 10

// current returns the token, or "" if there is none.
func (b *bearer) current() (string, error) {
	if b.file.Path == "" {
		return b.token, nil
	}
	changed, err := b.file.Changed()
	if err != nil {
		return "", fmt.Errorf("read %s: %w", b.param, err)
	}
	if !changed {
		return b.token, nil
	}
	text, err := secretfile.Read(b.file.Path)
	if err == nil {
		err = b.set(string(text))
	}
	if err != nil {
		b.file.Forget()
		return "", fmt.Errorf("read %s: %w", b.param, err)
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
