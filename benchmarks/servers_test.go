package main

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestServersAreStopped(t *testing.T) {
	failure := errors.New("failure")
	for name, c := range map[string]struct {
		use           func(t testing.TB) error
		skipped, want string // want is the error
	}{
		"in good order": {use: func(testing.TB) error { return nil }},
		"by an error":   {use: func(testing.TB) error { return failure }, want: "failure"},
		"by a failure":  {use: func(t testing.TB) error { t.Fatalf("no %s", "port"); return nil }, want: "no port"},
		"as missing":    {use: func(t testing.TB) error { t.Skip("install it"); return nil }, skipped: "install it"},
		"after an error": {use: func(t testing.TB) error {
			t.Cleanup(func() { t.Error("left") })
			return failure
		}, want: "failure\nleft"},
	} {
		t.Run(name, func(t *testing.T) {
			var stopped []int
			skipped, err := withServers(func(t testing.TB) error {
				t.Cleanup(func() { stopped = append(stopped, 1) })
				t.Cleanup(func() { stopped = append(stopped, 2) })
				return c.use(t)
			})
			if !slices.Equal(stopped, []int{2, 1}) {
				t.Errorf("stopped: %v", stopped)
			}
			text := ""
			if err != nil {
				text = err.Error()
			}
			if text != c.want || skipped != c.skipped {
				t.Errorf("error %q, skipped %q", text, skipped)
			}
		})
	}
	t.Run("by a panic", func(t *testing.T) {
		stopped := false
		defer func() {
			if p := recover(); p != any(failure) || !stopped {
				t.Errorf("panic %v, stopped %v", p, stopped)
			}
		}()
		_, _ = withServers(func(t testing.TB) error {
			t.Cleanup(func() { stopped = true })
			panic(failure)
		})
	})
}

// The time of a child's child counts, and still does when both have ended.
func TestChildrenCPU(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("there is no /proc")
	}
	before := childrenCPU()
	cmd := exec.Command("sh", "-c", "(i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done); echo done")
	if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), "done") {
		t.Fatal(err, string(out))
	}
	if after := childrenCPU(); after <= before {
		t.Errorf("%v before, %v after", before, after)
	}
}
