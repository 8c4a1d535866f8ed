package testserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/testserver"
)

// These also fetch the servers where they are missing.
func TestElasticsearchKeepsWhatItGets(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, ...string) *testserver.Elasticsearch{
		"elasticsearch": testserver.StartElasticsearch,
		"opensearch":    testserver.StartOpenSearch,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t)
			index := e.Index()
			var bulk strings.Builder
			for i := range 2500 {
				fmt.Fprintf(&bulk, `{"create":{"_id":"%[1]d"}}`+"\n"+`{"n":%[1]d}`+"\n", i)
			}
			require.Contains(t, string(e.Do(http.MethodPost, "/"+index+"/_bulk", bulk.String())), `"errors":false`)
			for _, last := range []bool{false, true} {
				require.Equal(t, 2500, e.Count(index))
				got, err := e.Documents(index[:8]+"*", "n")
				require.NoError(t, err)
				require.Len(t, got, 2500)
				require.Equal(t, index, got[2499].Index)
				require.Equal(t, "2499", got[2499].ID)
				require.JSONEq(t, `{"n":2499}`, string(got[2499].Source))
				if last {
					break
				}
				e.Kill()
				_, err = e.Documents(index, "n")
				require.Error(t, err)
				e.Restart()
			}
		})
	}
}

func TestElasticsearchHasUsers(t *testing.T) {
	t.Parallel()
	e := testserver.StartElasticsearch(t, "xpack.security.enabled=true")
	status := func(password, target string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.Address+target, nil)
		require.NoError(t, err)
		req.SetBasicAuth("shop", password)
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	is := func(password, target string, want int) {
		t.Helper()
		testserver.Wait(t, "the user", func() error {
			if got := status(password, target); got != want {
				return fmt.Errorf("the status is %d, not %d", got, want)
			}
			return nil
		})
	}
	e.User("shop", "first-one", `{"cluster":["monitor"]}`)
	is("first-one", "/", http.StatusOK)
	is("second-one", "/", http.StatusUnauthorized)
	is("first-one", "/logs", http.StatusForbidden)
	e.User("shop", "second-one", `{"indices":[{"names":["logs*"],"privileges":["all"]}]}`)
	is("second-one", "/logs", http.StatusNotFound)
	is("first-one", "/", http.StatusUnauthorized)
	e.Do(http.MethodGet, "/", "")
}
