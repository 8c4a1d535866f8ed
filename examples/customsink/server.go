package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// serve starts a server that takes tickets, and returns its address.
func serve() (addr string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go http.Serve(l, &server{})
	return l.Addr().String(), nil
}

// A server takes tickets, and has its whims.
type server struct{ requests int }

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer secret" {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodHead {
		return
	}
	if s.requests++; s.requests == 1 { // the requests come one at a time
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return
	}
	var tickets []ticket
	if err := json.NewDecoder(r.Body).Decode(&tickets); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, t := range tickets {
		if strings.HasPrefix(t.Title, "refuse") {
			http.Error(w, "no such ticket", http.StatusUnprocessableEntity)
			return
		}
	}
	for _, t := range tickets {
		fmt.Printf("ticket: %s, priority %s, labels %v\n", t.Title, t.Priority, t.Labels)
	}
}
