package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// processCPU returns the CPU time, user and system, of the whole process.
func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// settledCPU returns processCPU when the other threads have gone to sleep. The
// kernel brings the account of a thread up to date when it leaves the
// processor or at a tick, so one that is still running, if only to look for
// work, is missing up to 4 ms: as much as is measured.
func settledCPU() time.Duration {
	time.Sleep(2 * time.Millisecond)
	return processCPU()
}

// memory returns a field of /proc/self/status in bytes, such as VmHWM, the
// most memory that was ever resident.
func memory(field string) (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kB, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kB << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in /proc/self/status", field)
}

// cpuName returns the processor's name, or "" if it is not known.
func cpuName() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if key, name, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(name)
		}
	}
	return ""
}
