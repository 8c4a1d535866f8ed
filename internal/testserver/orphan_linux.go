package testserver

import (
	"os/exec"
	"syscall"
)

// endWithParent has a process killed when this one ends, however it does: a test
// that panics or takes too long runs no cleanup. What changes its user has to see
// to that itself.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
