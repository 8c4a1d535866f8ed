package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
)

// The test binary is also the program, run in the directory that this variable
// names.
const dirVariable = "QUICKSTART_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(dirVariable)
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := run(dir); err != nil {
		fatal(err)
	}
}

// quickstart runs the program and returns what it prints and its exit code.
func quickstart(t *testing.T, dir string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FAPILOG_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, dirVariable+"="+dir)
	var outText, errText strings.Builder
	cmd.Stdout, cmd.Stderr = &outText, &errText
	if err := cmd.Run(); cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	t.Logf("standard output:\n%s\nstandard error:\n%s", &outText, &errText)
	return outText.String(), errText.String(), cmd.ProcessState.ExitCode()
}

func TestQuickstart(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := quickstart(t, t.TempDir())
	require.Zero(t, code)

	require.Contains(t, stdout, "The collector is down.")
	require.Contains(t, stdout, "The collector comes back.")
	require.Contains(t, stdout, "Every record is accounted for.")
	require.Regexp(t, `(?m)^ *sink +appended +delivered +retried +filtered +dropped +rejected +pending`, stdout)
	row := func(sink string) []string {
		m := regexp.MustCompile(`(?m)^ *` + sink + ` +.*$`).FindString(stdout)
		require.NotEmpty(t, m, "no row for %s", sink)
		return strings.Fields(m)
	}
	console, file, col := row("console"), row("file"), row("collector")
	appended := console[1]
	require.Equal(t, []string{"file", appended, appended, "0", "0", "0", "0", "0", appended, "exact"}, file)
	require.NotEqual(t, "0", col[3], "the collector was not tried again")
	col[3] = "n"
	require.Equal(t, []string{"collector", appended, appended, "n", "0", "0", "0", "0", appended, "exact"}, col)

	lines := strings.Count(stdout, "\n")
	require.Less(t, lines, 80, "the console is flooded")
	require.Contains(t, stderr, "sink collector (collector://127.0.0.1:")
	require.Contains(t, stderr, "delivery fails and is tried again")
}

// A line in the file that the sink has not written makes the account wrong.
func TestQuickstartWithAWrongAccount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "shop.log"), []byte("not ours\n"), 0o600))
	stdout, stderr, code := quickstart(t, dir)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "the account is not exact")
	require.Regexp(t, `(?m)^ *file .* WRONG$`, stdout)
	require.Regexp(t, `(?m)^ *collector .* exact$`, stdout)
}

func TestSettle(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.log")
	require.NoError(t, os.WriteFile(file, []byte("1\n2\n3\n"), 0o600))
	tests := map[string]struct {
		change func(stats *fapilog.Stats, col *collector)
		wrong  bool
	}{
		"exact":         {change: func(*fapilog.Stats, *collector) {}},
		"sent twice":    {change: func(_ *fapilog.Stats, col *collector) { col.arrivals["a:1"]++ }},
		"dropped":       {change: func(s *fapilog.Stats, _ *collector) { s.Sinks[0].Delivered--; s.Sinks[0].Dropped++ }},
		"not counted":   {change: func(s *fapilog.Stats, _ *collector) { s.Appended++ }, wrong: true},
		"counted twice": {change: func(s *fapilog.Stats, _ *collector) { s.Sinks[2].Pending++ }, wrong: true},
		"did not arrive": {
			change: func(_ *fapilog.Stats, col *collector) { delete(col.arrivals, "a:2") },
			wrong:  true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			stats := fapilog.Stats{Appended: 3, Sinks: []fapilog.SinkStats{
				{Name: "console", Filtered: 1, Delivered: 2},
				{Name: "file", Delivered: 3},
				{Name: "collector", Delivered: 3},
			}}
			col := &collector{arrivals: map[string]int{"a:1": 1, "a:2": 1, "a:3": 1}}
			test.change(&stats, col)
			err := settle(stats, file, col)
			require.Equal(t, test.wrong, err != nil, "%v", err)
		})
	}
}
