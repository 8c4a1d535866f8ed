package secretfile_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/secretfile"
	"github.com/fapilog/fapilog/internal/testserver"
)

func TestWatched(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret-path")
	w := secretfile.Watched{Path: path}
	_, err := w.Changed()
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NotContains(t, err.Error(), "secret")
	for _, text := range []string{"a", "bb"} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-time.Minute)))
		for _, want := range []bool{true, false} {
			changed, err := w.Changed()
			require.NoError(t, err)
			require.Equal(t, want, changed)
		}
	}
	w.Forget()
	changed, err := w.Changed()
	require.NoError(t, err)
	require.True(t, changed)

	// What was written a moment ago may be written again without a trace.
	require.NoError(t, os.WriteFile(path, []byte("ccc"), 0o600))
	for range 2 {
		changed, err := w.Changed()
		require.NoError(t, err)
		require.True(t, changed)
	}
	_, err = secretfile.Read(filepath.Dir(path))
	require.EqualError(t, err, "it is a directory, a pipe or a device")
}

func TestRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret-path")
	_, err := secretfile.Read(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NotContains(t, err.Error(), "secret")
	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("x"), 1<<20), 0o600))
	text, err := secretfile.Read(path)
	require.NoError(t, err)
	require.Len(t, text, 1<<20)
	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("x"), 1<<20+1), 0o600))
	_, err = secretfile.Read(path)
	require.EqualError(t, err, "it has more than 1 MiB")
}

func TestConfig(t *testing.T) {
	t.Parallel()
	ca := testserver.NewAuthority(t, "ca")
	cert, key := ca.Issue("client")
	for _, test := range []struct {
		files secretfile.TLS
		want  []string
	}{
		{secretfile.TLS{}, nil},
		{secretfile.TLS{CA: ca.File, Cert: cert, Key: key}, nil},
		{secretfile.TLS{CA: key}, []string{"ca_file: there is no certificate in it that is in PEM form"}},
		{secretfile.TLS{CA: "/nowhere", Cert: cert}, []string{"ca_file: " + fs.ErrNotExist.Error(), "cert_file: it goes with key_file, which is missing"}},
		{secretfile.TLS{Key: key}, []string{"key_file: it goes with cert_file, which is missing"}},
		{secretfile.TLS{Cert: cert, Key: ca.File}, []string{"cert_file: with key_file: "}},
	} {
		config, problems := test.files.Config()
		require.EqualValues(t, tls.VersionTLS12, config.MinVersion)
		require.Len(t, problems, len(test.want))
		for i, p := range problems {
			if test.want[i] != "ca_file: "+fs.ErrNotExist.Error() {
				require.ErrorContains(t, p, test.want[i])
			}
			require.NotContains(t, p.Error(), "nowhere")
		}
		require.Equal(t, test.files.Cert != "" && len(problems) == 0, config.GetClientCertificate != nil)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	require.True(t, secretfile.Refused(&tls.CertificateVerificationError{Err: errors.New("x")}))
	require.True(t, secretfile.Refused(tls.RecordHeaderError{}))
	require.False(t, secretfile.Refused(errors.New("connection refused")))
}
