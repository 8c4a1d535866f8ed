package postgres

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
)

// connections are all that are open, so that they can be cut. A connection whose
// context has ended in the middle of a query is closed by pgx behind our back:
// it asks the server, over another one, to cancel the query, and gives a server
// that does not answer 15 seconds for that.
type connections struct {
	mu   sync.Mutex
	open map[*connection]struct{}
	cut  bool
}

type connection struct {
	net.Conn
	of *connections
}

var errCut = errors.New("the sink is closed")

// dialer returns a function that dials with another one.
func (cs *connections) dialer(dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		made, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := &connection{made, cs}
		cs.mu.Lock()
		defer cs.mu.Unlock()
		if cs.cut {
			return nil, errors.Join(errCut, made.Close())
		}
		if cs.open == nil {
			cs.open = make(map[*connection]struct{})
		}
		cs.open[c] = struct{}{}
		return c, nil
	}
}

func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// cutAll closes all connections, now and from now on.
func (cs *connections) cutAll() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.cut = true
	for c := range cs.open {
		_ = c.Conn.Close() // whoever uses it finds out
	}
}
