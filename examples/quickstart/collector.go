package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
)

// A collector is the destination of the sink collector://: an HTTP server that
// takes lines of JSON. It would be another machine's; here it is in the same
// process, so that it can go down and its count can be compared.
type collector struct {
	addr   string // host:port; the same one whenever it starts
	server *http.Server

	mu       sync.Mutex
	arrivals map[string]int // how often each record arrived, by its id
}

func (c *collector) start() error {
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		return err
	}
	c.addr = l.Addr().String()
	c.server = &http.Server{Handler: c}
	go c.server.Serve(l)
	return nil
}

// stop closes the port and all connections.
func (c *collector) stop() error { return c.server.Close() }

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for lines := json.NewDecoder(r.Body); ; {
		var line struct{ ID string }
		if err := lines.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		c.arrivals[line.ID]++
		c.mu.Unlock()
	}
	w.WriteHeader(http.StatusNoContent)
}

// received returns how many different records have arrived, and how many
// arrivals there were besides.
func (c *collector) received() (records, repeats int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.arrivals {
		repeats += n - 1
	}
	return len(c.arrivals), repeats
}
