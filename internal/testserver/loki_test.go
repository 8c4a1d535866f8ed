package testserver_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/testserver"
)

// pushLoki sends a line, as JSON.
func pushLoki(t *testing.T, l *testserver.Loki, tenant, label, line string, at time.Time) int {
	t.Helper()
	body := fmt.Sprintf(`{"streams":[{"stream":{"from":%q},"values":[["%d",%q,{"id":"7"}]]}]}`, label, at.UnixNano(), line)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Address+"/loki/api/v1/push", bytes.NewBufferString(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	if tenant != "" {
		req.Header.Set("X-Scope-OrgID", tenant)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// This also builds Loki where it is missing.
func TestLokiKeepsWhatItGets(t *testing.T) {
	t.Parallel()
	l := testserver.StartLoki(t, testserver.LokiConfig{Auth: true, Limits: testserver.LokiTakesAll, Ingester: testserver.LokiTakesDisorder, Own: true})
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	require.Equal(t, http.StatusUnauthorized, pushLoki(t, l, "", t.Name(), "x", at))
	require.Equal(t, http.StatusNoContent, pushLoki(t, l, "a", t.Name(), "late", at.AddDate(0, 6, 0)))
	require.Equal(t, http.StatusNoContent, pushLoki(t, l, "a", t.Name(), "early", at))
	for range 2 {
		got, err := l.Query("a", `{from=~".+"}`, at, at.AddDate(1, 0, 0))
		require.NoError(t, err)
		require.Len(t, got, 2)
		require.Equal(t, "early", got[0].Line)
		require.Equal(t, at, got[0].Time)
		require.Equal(t, t.Name(), got[0].Labels["from"])
		require.Equal(t, map[string]string{"id": "7"}, got[0].Metadata)
		require.Equal(t, "late", got[1].Line)
		for want, since := range map[int]time.Time{1: at.AddDate(0, 6, 0), 2: at} {
			n, err := l.Count("a", `{from=~".+"}`, time.Since(since)+time.Hour)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
		l.Kill()
		_, err = l.Query("a", `{from=~".+"}`, at, at.AddDate(1, 0, 0))
		require.Error(t, err)
		l.Restart()
	}
	got, err := l.Query("b", `{from=~".+"}`, at, at.AddDate(1, 0, 0))
	require.NoError(t, err)
	require.Empty(t, got)
	n, err := l.Count("b", `{from=~".+"}`, time.Since(at)+time.Hour)
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = l.Count("a", `{`, time.Hour)
	require.ErrorContains(t, err, "400")
	_, err = l.Query("a", `{`, at, at.AddDate(1, 0, 0))
	require.ErrorContains(t, err, "400")
}

// The version that is run is the one that is built.
func TestLokiVersion(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("loki/go.mod")
	require.NoError(t, err)
	require.Contains(t, string(text), "github.com/grafana/loki/v3 "+testserver.LokiVersion+" ")
}
