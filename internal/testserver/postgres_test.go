package testserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/testserver"
)

// What was committed survives the server's end, whatever that is, and users are
// who they say.
func TestPostgres(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t, "default_statistics_target=7")
	require.Equal(t, "7", p.One("SHOW default_statistics_target"))
	p.Exec("CREATE TABLE t (x text)")
	for i, end := range []func(){p.Kill, p.Stop} {
		p.Exec("INSERT INTO t VALUES ('a')")
		end()
		require.Error(t, p.TryExec("SELECT"))
		p.Restart()
		all, err := p.Strings("SELECT x FROM t")
		require.NoError(t, err)
		require.Len(t, all, i+1)
	}
	user := p.User("somebody")
	require.Equal(t, "postgres://somebody:s3cr3t-passw0rd@"+p.Address+"/logs?a=b", p.URI(user, "a=b"))
	require.ErrorContains(t, p.TryExec("SELECT * FROM nothing"), "42P01")
}
