package testserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/testserver"
)

// What a Redis has answered survives its being killed.
func TestRedis(t *testing.T) {
	r := testserver.StartRedis(t, "--maxmemory", "100mb")
	line, err := r.Do("set", "key", "a value\r\n")
	require.NoError(t, err)
	require.Equal(t, "+OK", line)
	r.Kill()
	_, err = r.Do("ping")
	require.Error(t, err)
	r.Restart()
	testserver.Wait(t, "the data", func() error {
		line, err = r.Do("strlen", "key")
		return err
	})
	require.Equal(t, ":9", line)
	_, err = r.Do("lpush", "key", "x")
	require.ErrorContains(t, err, "lpush: WRONGTYPE")

	t.Setenv("FAPILOG_TEST_REDIS", "example.com:6379")
	require.Equal(t, "example.com:6379", testserver.RedisAddress(t))
}
