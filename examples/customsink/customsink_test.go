package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The test binary is also the program, run with the sinks that this variable
// has.
const sinksVariable = "CUSTOMSINK_SINKS"

func TestMain(m *testing.M) {
	list, ok := os.LookupEnv(sinksVariable)
	if !ok {
		os.Exit(m.Run())
	}
	os.Setenv("FAPILOG_SINKS", list)
	main()
}

// program runs the program and returns what it prints and its exit code.
func program(t *testing.T, list string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FAPILOG_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, sinksVariable+"="+list)
	var outText, errText strings.Builder
	cmd.Stdout, cmd.Stderr = &outText, &errText
	if err := cmd.Run(); cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	t.Logf("standard output:\n%s\nstandard error:\n%s", &outText, &errText)
	return outText.String(), errText.String(), cmd.ProcessState.ExitCode()
}

// By itself, the program brings its own destination.
func TestAlone(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := program(t, "")
	require.Zero(t, code)
	require.Equal(t, `ticket: payment is slow, priority high, labels map[app:shop env:prod]
ticket: payment failed, priority high, labels map[app:shop env:prod]
tickets: 2 delivered, 0 filtered, 1 rejected, 0 dropped
`, stdout)
	require.Regexp(t, `1 records? rejected`, stderr)
	require.NotContains(t, stdout+stderr, "secret")
}

// Each answer of the destination becomes a verdict.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	const all = "4 delivered, 0 filtered, 0 rejected, 0 dropped"
	tests := map[string]struct {
		params string
		answer func(attempt int, tickets []ticket) (status int, retryAfter string)
		want   string
	}{
		"take all": {
			answer: func(int, []ticket) (int, string) { return http.StatusNoContent, "" },
			want:   all,
		},
		"be down": {
			answer: func(attempt int, _ []ticket) (int, string) {
				if attempt == 1 {
					return http.StatusServiceUnavailable, ""
				}
				return http.StatusOK, ""
			},
			want: all,
		},
		"ask to wait": {
			answer: func(attempt int, _ []ticket) (int, string) {
				if attempt == 1 {
					return http.StatusTooManyRequests, "0"
				}
				return http.StatusOK, ""
			},
			want: all,
		},
		"take one at a time": {
			answer: func(_ int, tickets []ticket) (int, string) {
				if len(tickets) > 1 {
					return http.StatusRequestEntityTooLarge, ""
				}
				return http.StatusOK, ""
			},
			want: all,
		},
		"refuse some": {
			answer: func(_ int, tickets []ticket) (int, string) {
				for _, t := range tickets {
					if t.Title == "refuse this" {
						return http.StatusBadRequest, ""
					}
				}
				return http.StatusOK, ""
			},
			want: "3 delivered, 0 filtered, 1 rejected, 0 dropped",
		},
		"refuse the token until somebody acts": {
			answer: func(attempt int, _ []ticket) (int, string) {
				if attempt == 1 {
					return http.StatusForbidden, ""
				}
				return http.StatusOK, ""
			},
			want: all,
		},
		"have a limit that is known": {
			params: "?max_body=500B", // about two records
			answer: func(_ int, tickets []ticket) (int, string) {
				if len(tickets) > 3 {
					return http.StatusInternalServerError, ""
				}
				return http.StatusOK, ""
			},
			want: all,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attempt := 0
			destination := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodHead {
					return
				}
				attempt++
				var tickets []ticket
				if err := json.NewDecoder(r.Body).Decode(&tickets); err != nil {
					t.Error(err)
				}
				status, retryAfter := test.answer(attempt, tickets)
				w.Header().Set("Retry-After", retryAfter)
				w.WriteHeader(status)
			}))
			defer destination.Close()
			host := strings.TrimPrefix(destination.URL, "http://")
			stdout, _, code := program(t, "tickets://:hunter2@"+host+"/shop"+test.params)
			require.Zero(t, code)
			require.Equal(t, "tickets: "+test.want+"\n", stdout)
		})
	}
}

func TestMisconfiguration(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := program(t,
		"tickets://:hunter2@127.0.0.1:1/shop?prioritty=high&max_body=big&labels=a, tickets://?priority=urgent")
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	for _, want := range []string{
		"FAPILOG_SINKS 1", "parameter prioritty: unknown: did you mean priority?",
		"parameter max_body: not a size in bytes", "parameter labels: not a list of key=value",
		"FAPILOG_SINKS 2", "parameter priority: not one of low, normal, high",
	} {
		require.Contains(t, stderr, want)
	}
	require.NotContains(t, stderr, "hunter2")
}
