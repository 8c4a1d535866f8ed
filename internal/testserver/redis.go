package testserver

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// Redis is a Redis server that writes every command to its disk before it
// answers, so that what it has answered survives its being killed.
type Redis struct {
	*Process
	Address string // host:port
}

// StartRedis starts a Redis with further options, each the name of one of
// redis.conf, with two dashes in front, or a word of its value. It needs the
// package redis-server of Debian, from 7.0 on.
func StartRedis(t testing.TB, options ...string) *Redis {
	t.Helper()
	program := Find(t, "redis-server", "apt-get install redis-server")
	port := Port(t)
	r := &Redis{Address: Address(port)}
	args := []string{
		"--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--dir", Dir(t),
		"--loglevel", "warning", "--save", "", "--appendonly", "yes", "--appendfsync", "always",
	}
	r.Process = Start(t, r.Address, program, append(args, options...)...)
	return r
}

// RedisAddress returns the address of a Redis for a test that leaves the server
// as it is, and uses keys of its own: that in the environment variable
// FAPILOG_TEST_REDIS, as host:port, or that of a new one.
func RedisAddress(t testing.TB) string {
	t.Helper()
	if address := os.Getenv("FAPILOG_TEST_REDIS"); address != "" {
		return address
	}
	return StartRedis(t).Address
}

// Do sends a command and returns the first line of the answer. For what a test
// reads back, a client library is the better means.
func (r *Redis) Do(args ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", r.Address, stopWithin)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(readyWithin)); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := conn.Write([]byte(b.String())); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	line = strings.TrimSpace(line)
	if err == nil && strings.HasPrefix(line, "-") {
		err = fmt.Errorf("%s: %s", args[0], line[1:])
	}
	return line, err
}
