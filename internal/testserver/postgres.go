package testserver

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a PostgreSQL server with a database for one test.
type Postgres struct {
	Address  string // host:port
	Database string
	Password string // of every user: they log in with SCRAM

	*Process // nil: the server is one's own, and stays as it is

	t     testing.TB
	dir   string // of its data
	owner []string
	admin *url.URL // of a superuser
}

const (
	postgresAdmin    = "admin"
	postgresPassword = "s3cr3t-passw0rd"
)

// StartPostgres starts a PostgreSQL with an empty database. Its settings are as
// in postgresql.conf, each as name=value. Programs are those of any version from
// 13 on. Root starts it as the user postgres, or nobody.
//
// If the environment variable FAPILOG_TEST_POSTGRES has the URI of a superuser,
// the database is made on that server. Tests that need settings, or
// to stop the server, are skipped then.
func StartPostgres(t testing.TB, settings ...string) *Postgres {
	t.Helper()
	p := &Postgres{t: t, Database: "logs", Password: postgresPassword}
	if text := os.Getenv("FAPILOG_TEST_POSTGRES"); text != "" {
		p.use(text, settings)
	} else {
		p.start(settings)
	}
	if err := p.exec("postgres", "CREATE DATABASE "+p.Database); err != nil {
		t.Fatal(err)
	}
	return p
}

// use makes a database on a server that is there.
func (p *Postgres) use(text string, settings []string) {
	p.t.Helper()
	var err error
	if p.admin, err = url.Parse(text); err != nil || p.admin.User == nil {
		p.t.Fatal("FAPILOG_TEST_POSTGRES is not the URI of a superuser: write postgres://user:password@host:port")
	}
	p.own(len(settings) > 0)
	p.Address = p.admin.Host
	p.Database = fmt.Sprintf("fapilog_test_%d", time.Now().UnixNano())
	p.t.Cleanup(func() {
		if err := p.exec("postgres", "DROP DATABASE IF EXISTS "+p.Database+" WITH (FORCE)"); err != nil {
			p.t.Error(err)
		}
	})
}

// own skips a test that needs a server of its own.
func (p *Postgres) own(needed bool) {
	p.t.Helper()
	if needed && os.Getenv("FAPILOG_TEST_POSTGRES") != "" {
		p.t.Skip("FAPILOG_TEST_POSTGRES is set, and this test stops its server or needs settings of its own")
	}
}

// start starts a server.
func (p *Postgres) start(settings []string) {
	p.t.Helper()
	initdb, postgres := findPostgres(p.t, "initdb"), findPostgres(p.t, "postgres")
	if os.Geteuid() == 0 {
		p.owner = unprivileged(p.t)
	}
	p.Address = Address(Port(p.t))
	p.admin = &url.URL{Scheme: "postgres", User: url.UserPassword(postgresAdmin, p.Password), Host: p.Address}
	dir := Dir(p.t)
	p.dir = filepath.Join(dir, "data")
	copyTemplate(p.t, initdb, p.owner, p.dir)
	p.Own(dir)
	_, port, _ := strings.Cut(p.Address, ":")
	args := append(slices.Clone(p.owner), postgres, "-D", p.dir, "-p", port, "-c", "listen_addresses=127.0.0.1", "-k", dir)
	// What survives is the operating system's to keep in a test, not the disk's; and of a
	// server that is killed, nothing is to be left outside of its directory.
	for _, setting := range append([]string{"fsync=off", "dynamic_shared_memory_type=mmap", "max_connections=30", "shared_buffers=32MB"}, settings...) {
		args = append(args, "-c", setting)
	}
	p.Process = Start(p.t, p.Address, args[0], args[1:]...)
	p.ready()
}

// Own gives a file or directory to the user that the server runs as.
func (p *Postgres) Own(path string) {
	p.t.Helper()
	if len(p.owner) == 0 {
		return
	}
	if out, err := exec.Command("chown", "-R", ownerOf(p.owner), path).CombinedOutput(); err != nil {
		p.t.Fatalf("chown: %v: %s", err, out)
	}
}

// Set changes one of the settings that the server was started with, and starts it
// again.
func (p *Postgres) Set(name, value string) {
	p.t.Helper()
	p.own(true)
	i := slices.IndexFunc(p.args, func(arg string) bool { return strings.HasPrefix(arg, name+"=") })
	if i < 0 {
		p.t.Fatalf("the server was not started with the setting %s", name)
	}
	p.args[i] = name + "=" + value
	p.Restart()
}

// Dir returns a new directory that belongs to the user that the server runs as.
func (p *Postgres) Dir() string {
	p.t.Helper()
	p.own(true)
	dir := Dir(p.t)
	p.Own(dir)
	return dir
}

// DataDir returns the directory of the server's data, which the paths in settings
// are relative to.
func (p *Postgres) DataDir() string {
	p.t.Helper()
	p.own(true)
	return p.dir
}

// Connect returns a connection of a superuser, to be closed by the caller.
func (p *Postgres) Connect(database string) (*pgx.Conn, error) {
	u := *p.admin
	u.Path = "/" + database
	return pgx.Connect(context.Background(), u.String())
}

// ready waits until the server has recovered what it had to.
func (p *Postgres) ready() {
	p.t.Helper()
	Wait(p.t, "PostgreSQL", func() error { return p.exec("postgres", "SELECT") })
}

func (p *Postgres) exec(database, sql string) error {
	conn, err := p.Connect(database)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	_, err = conn.PgConn().Exec(context.Background(), sql).ReadAll()
	return err
}

// TryExec runs statements as a superuser in the test's database.
func (p *Postgres) TryExec(sql string) error { return p.exec(p.Database, sql) }

// Exec is TryExec for what must not fail.
func (p *Postgres) Exec(sql string) {
	p.t.Helper()
	if err := p.TryExec(sql); err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
}

// Strings runs a query as a superuser and returns its rows, one text each.
func (p *Postgres) Strings(sql string) ([]string, error) {
	conn, err := p.Connect(p.Database)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.Background())
	rows, err := conn.Query(context.Background(), sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// One returns the one text that a query of a superuser finds.
func (p *Postgres) One(sql string) string {
	p.t.Helper()
	list, err := p.Strings(sql)
	if err != nil || len(list) != 1 {
		p.t.Fatalf("%s: %v, %v", sql, list, err)
	}
	return list[0]
}

// User makes a user that may create things in the test's database, and returns
// its name, which is no other user's. The user is dropped at the end of the test.
func (p *Postgres) User(name string) string {
	p.t.Helper()
	if p.Process == nil {
		name = p.Database + "_" + name
	}
	p.Exec(fmt.Sprintf("CREATE ROLE %[1]s LOGIN PASSWORD '%[2]s'; GRANT CREATE ON DATABASE %[3]s TO %[1]s; GRANT CREATE, USAGE ON SCHEMA public TO %[1]s",
		name, p.Password, p.Database))
	if p.Process == nil {
		p.t.Cleanup(func() {
			if err := p.TryExec(fmt.Sprintf("DROP OWNED BY %[1]s CASCADE; DROP ROLE %[1]s", name)); err != nil {
				p.t.Error(err)
			}
		})
	}
	return name
}

// URI returns the URI of the test's database for a user, with parameters as
// they are written after the question mark.
func (p *Postgres) URI(user, parameters string) string { return p.URIAt(p.Address, user, parameters) }

// URIAt is URI for another address that leads to the server.
func (p *Postgres) URIAt(address, user, parameters string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, p.Password), Host: address, Path: "/" + p.Database, RawQuery: parameters}
	return u.String()
}

// Kill kills the server, which then has to recover when it is started again.
func (p *Postgres) Kill() {
	p.t.Helper()
	p.own(true)
	p.Process.Kill()
}

// Stop stops the server, which breaks off what its clients do.
func (p *Postgres) Stop() {
	p.t.Helper()
	p.own(true)
	p.Process.Stop()
}

// Restart starts the server again, after it was stopped or killed.
func (p *Postgres) Restart() {
	p.t.Helper()
	p.own(true)
	p.Process.Stop()
	// Its children outlive a server that was killed by a moment, and it does not
	// start while they have its memory.
	Wait(p.t, "the end of all processes of PostgreSQL", p.deserted)
	p.Process.Restart()
	p.ready()
}

// deserted returns an error if there are processes that have the server's shared
// memory. Where that cannot be told, there are none.
func (p *Postgres) deserted() error {
	pid, err := os.ReadFile(filepath.Join(p.dir, "postmaster.pid"))
	if err != nil {
		return nil // it has ended in good order
	}
	lines := strings.Split(string(pid), "\n")
	if len(lines) < 7 {
		return nil
	}
	key := strings.Fields(lines[6]) // of the shared memory, and its id
	segments, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil || len(key) != 2 {
		return nil
	}
	for line := range strings.Lines(string(segments)) {
		// key shmid perms size cpid lpid nattch ...
		if f := strings.Fields(line); len(f) > 6 && f[1] == key[1] && f[6] != "0" {
			return fmt.Errorf("%s of them are left", f[6])
		}
	}
	return nil
}

// findPostgres finds a program of PostgreSQL, which Debian does not have in the
// PATH: there can be several versions.
func findPostgres(t testing.TB, program string) string {
	t.Helper()
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is not malformed
	slices.SortFunc(dirs, func(a, b string) int { return versionIn(b) - versionIn(a) })
	for _, dir := range dirs {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path
		}
	}
	return Find(t, program, "apt-get install postgresql")
}

func versionIn(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir))) // 0 for what is none
	return n
}

// unprivileged returns a command that runs another one as somebody who is not
// root, which PostgreSQL insists on.
func unprivileged(t testing.TB) []string {
	t.Helper()
	setpriv := Find(t, "setpriv", "apt-get install util-linux")
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			return []string{setpriv, "--reuid=" + u.Uid, "--regid=" + u.Gid, "--clear-groups", "--pdeathsig=KILL", "--"}
		}
	}
	t.Fatal("there is no user to run PostgreSQL as")
	return nil
}

// ownerOf returns the user and group of an unprivileged command.
func ownerOf(command []string) string {
	return strings.TrimPrefix(command[1], "--reuid=") + ":" + strings.TrimPrefix(command[2], "--regid=")
}

// template is a directory with the data of a new server, for as long as there is
// a test with a server.
var template struct {
	sync.Mutex
	dir   string
	users int
}

// copyTemplate makes the data of a new server.
func copyTemplate(t testing.TB, initdb string, owner []string, to string) {
	t.Helper()
	template.Lock()
	defer template.Unlock()
	run := func(command ...string) {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command[0], err, out)
		}
	}
	if template.users == 0 {
		dir, err := os.MkdirTemp("", "t")
		if err != nil {
			t.Fatal(err)
		}
		template.dir = dir
		t.Cleanup(releaseTemplate)
		template.users++
		password := filepath.Join(dir, "password")
		if err := os.WriteFile(password, []byte(postgresPassword+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if len(owner) > 0 {
			run("chown", "-R", ownerOf(owner), dir)
		}
		run(slices.Concat(owner, []string{
			initdb, "-D", filepath.Join(dir, "data"), "-U", postgresAdmin, "--pwfile", password,
			"-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--wal-segsize=1", "--no-sync",
		})...)
	} else {
		t.Cleanup(releaseTemplate)
		template.users++
	}
	if err := os.CopyFS(to, os.DirFS(filepath.Join(template.dir, "data"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(to, 0o700); err != nil {
		t.Fatal(err)
	}
}

func releaseTemplate() {
	template.Lock()
	defer template.Unlock()
	if template.users--; template.users == 0 {
		_ = os.RemoveAll(template.dir)
	}
}
