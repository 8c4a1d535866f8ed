package testserver

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A download is a server that no package of Debian has. It is made once, in the
// directory fapilog-test of the user's cache, and then used by all tests.
type download struct {
	dir     string        // its own directory there, with its version
	file    string        // that is there when it has been made
	takes   time.Duration // how much time a test must have left for it to be made in it
	install string        // what makes it, for those who do not have it
	make    func(file string) error
}

// find returns the path of its file. What is missing is made if the test has the
// time for that; else the test is skipped.
func (d download) find(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(cache, "fapilog-test", d.dir, d.file)
	if _, err := os.Stat(file); err == nil {
		return file
	}
	if limited, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if deadline, has := limited.Deadline(); !has || time.Until(deadline) >= d.takes {
			if err := d.makeOnce(file); err != nil {
				t.Fatal(err)
			}
			return file
		}
	}
	return Find(t, file, d.install)
}

// makeOnce makes it. Another process may be doing the same.
func (d download) makeOnce(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	release, err := lock(filepath.Dir(file) + ".lock")
	if err != nil {
		return err
	}
	defer release()
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	return d.make(file)
}

// Locks are directories, which one process alone can create. Their owners touch
// them, so that those of processes that were killed are known.
const (
	touchEvery = time.Second
	staleAfter = 30 * time.Second
)

// lock waits until no other process has a lock, and takes it.
func lock(dir string) (release func(), err error) {
	for {
		err := os.Mkdir(dir, 0o700)
		if err == nil {
			break
		}
		if !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > staleAfter {
			_ = os.Remove(dir)
			continue
		}
		time.Sleep(touchEvery)
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-time.After(touchEvery):
				now := time.Now()
				_ = os.Chtimes(dir, now, now)
			case <-end:
				return
			}
		}
	}()
	return func() {
		close(end)
		<-ended
		_ = os.Remove(dir)
	}, nil
}
