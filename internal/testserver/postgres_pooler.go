package testserver

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// StartPgBouncer starts a PgBouncer in transaction mode, in which a connection to
// the server is a client's own for no longer than a transaction, and returns its
// address. Of the server's users, it knows those named.
func StartPgBouncer(t testing.TB, p *Postgres, users ...string) string {
	t.Helper()
	p.own(true)
	program := Find(t, "pgbouncer", "apt-get install pgbouncer")
	dir := p.Dir()
	address := Address(Port(t))
	_, port, _ := strings.Cut(address, ":")
	host, serverPort, _ := strings.Cut(p.Address, ":")
	var list strings.Builder
	for _, user := range users {
		fmt.Fprintf(&list, "%q %q\n", user, p.Password)
	}
	conf := fmt.Sprintf(`[databases]
%[1]s = host=%[2]s port=%[3]s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %[4]s
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %[5]s/users
pool_mode = transaction
default_pool_size = 1
server_reset_query_always = 1
server_reset_query = DISCARD ALL
`, p.Database, host, serverPort, port, dir)
	for name, text := range map[string]string{"users": list.String(), "conf": conf} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.Own(dir)
	command := append(slices.Clone(p.owner), program, filepath.Join(dir, "conf"))
	Start(t, address, command[0], command[1:]...)
	return address
}
