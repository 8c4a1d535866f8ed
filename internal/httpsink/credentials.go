package httpsink

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fapilog/fapilog/internal/secretfile"
)

// A bearer token, as it is or in a file.
type bearer struct {
	file  secretfile.Watched // Path "": the token does not change
	token string
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
		return "", fmt.Errorf("read token_file: %w", err)
	}
	if !changed {
		return b.token, nil
	}
	text, err := secretfile.Read(b.file.Path)
	if err == nil {
		// Editors on Windows begin files with the mark.
		b.token = strings.TrimSpace(strings.TrimPrefix(string(text), "\ufeff"))
		err = checkToken(b.token)
	}
	if err != nil {
		b.file.Forget()
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
