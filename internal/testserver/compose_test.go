package testserver_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/testserver"
)

// What compose.yaml starts can be used, with the variables that it says.
func TestComposeFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../compose.yaml")
	require.NoError(t, err)
	compose := string(text)

	ports := map[string]string{} // that variables lead to
	for _, m := range regexp.MustCompile(`(?m)^#\texport (FAPILOG_TEST_\w+)=\S*127\.0\.0\.1:(\d+)$`).FindAllStringSubmatch(compose, -1) {
		ports[m[1]] = m[2]
	}
	var read []string
	sources, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, source := range sources {
		text, err := os.ReadFile(source)
		require.NoError(t, err)
		if !strings.HasSuffix(source, "_test.go") {
			read = append(read, regexp.MustCompile(`"FAPILOG_TEST_\w+"`).FindAllString(string(text), -1)...)
		}
	}
	slices.Sort(read)
	var set []string
	for variable := range ports {
		set = append(set, strconv.Quote(variable))
	}
	slices.Sort(set)
	require.Equal(t, slices.Compact(read), set)

	published := regexp.MustCompile(`(?m)^    ports: \["127\.0\.0\.1:(\d+):\d+"\]$`).FindAllStringSubmatch(compose, -1)
	require.Len(t, published, strings.Count(compose, "ports:"), "a port is not of the loopback interface alone")
	require.Len(t, published, strings.Count(compose, "image:"))
	require.Len(t, ports, len(published))
	for variable, port := range ports {
		require.True(t, slices.ContainsFunc(published, func(m []string) bool { return m[1] == port }), "%s leads to no server", variable)
	}

	for name, version := range testserver.Distributions() {
		require.Regexp(t, "image: [^ ]*"+name+":"+regexp.QuoteMeta(version)+"\n", compose)
	}
	require.Contains(t, compose, "image: grafana/loki:"+strings.TrimPrefix(testserver.LokiVersion, "v")+"\n")
	// Loki is configured as the one that is started, but for addresses and directories.
	lines := strings.Split(compose, "\n")
	for line := range strings.Lines(testserver.LokiConf) {
		if line = strings.TrimRight(line, "\n"); line != "" && !strings.Contains(line, "%[") && !strings.Contains(line, "_listen_") {
			require.True(t, slices.Contains(lines, "      "+line), "Loki has the line %q, and compose.yaml has not", line)
		}
	}
}
