package testserver_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/testserver"
)

// orphanVariable makes TestOrphan the child that dies.
const orphanVariable = "FAPILOG_TESTSERVER_ORPHAN"

// A test that ends without its cleanups leaves no servers behind.
func TestOrphan(t *testing.T) {
	t.Parallel()
	if os.Getenv(orphanVariable) != "" {
		fmt.Println(testserver.StartRedis(t).Address, testserver.StartPostgres(t).Address)
		os.Exit(3)
	}
	dir := testserver.Dir(t)
	require.NoError(t, os.Chmod(dir, 0o711)) // for the user that PostgreSQL runs as
	cmd := exec.Command(os.Args[0], "-test.run", "^TestOrphan$")
	cmd.Env = append(os.Environ(), orphanVariable+"=1", "FAPILOG_TEST_POSTGRES=", "TMPDIR="+dir)
	out, err := cmd.Output()
	require.Error(t, err)
	if strings.Contains(string(out), "--- SKIP") {
		t.Skip(string(out))
	}
	addresses := strings.Fields(string(out))
	require.Len(t, addresses, 2, "%s", out)
	for _, address := range addresses {
		testserver.Wait(t, "the end of the server at "+address, func() error {
			if testserver.Listening(address) == nil {
				return fmt.Errorf("it is there")
			}
			return nil
		})
	}
}
