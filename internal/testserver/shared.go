package testserver

import (
	"slices"
	"sync"
	"testing"
)

// Main runs the tests of a package that has tests with shared servers, and then
// stops those servers:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(testserver.Main{M: m}) }
type Main struct{ *testing.M }

// Run runs the tests.
func (m Main) Run() int {
	defer shared.stop()
	return m.M.Run()
}

// shared are the servers that are there until all tests of a package have run,
// because starting them takes too long to do it for each test.
var shared servers

type servers struct {
	mu       sync.Mutex // guards the following
	started  map[string]*Elasticsearch
	cleanups []func()
}

// get returns a server that is started by the first test that needs it.
func (s *servers) get(t testing.TB, name string, start func(testing.TB) *Elasticsearch) *Elasticsearch {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started[name] == nil {
		server := start(lasting{t, s})
		if s.started == nil {
			s.started = make(map[string]*Elasticsearch)
		}
		s.started[name] = server
	}
	return s.started[name]
}

// stop stops all servers.
func (s *servers) stop() {
	for _, cleanup := range slices.Backward(s.cleanups) {
		cleanup()
	}
}

// lasting is a test whose cleanups are for when all tests have run.
type lasting struct {
	testing.TB
	servers *servers // locked by get
}

func (l lasting) Cleanup(f func()) { l.servers.cleanups = append(l.servers.cleanups, f) }

// Failed says that nothing is to be logged by a cleanup, when the test has
// ended.
func (lasting) Failed() bool { return false }
