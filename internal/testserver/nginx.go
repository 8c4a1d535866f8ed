package testserver

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A NginxConfig is the part of an nginx configuration that a test is about.
type NginxConfig struct {
	HTTP     string // directives for the block http
	Server   string // directives for the server that the test talks to
	Location string // directives for its location /
	TLS      bool   // the server speaks TLS; its certificate is up to Server
}

// Nginx is an nginx that takes requests of any method, and keeps their bodies.
type Nginx struct {
	*Process
	Address string // host:port

	t    testing.TB
	dir  string
	conf NginxConfig
	runs int
}

// A Received is one request that nginx has answered.
type Received struct {
	Status        int    `json:"status,string"`
	Method        string `json:"method"`
	Target        string `json:"target"` // as it was sent
	Protocol      string `json:"protocol"`
	Key           string `json:"key"` // Idempotency-Key
	Authorization string `json:"authorization"`
	ContentType   string `json:"type"`
	Encoding      string `json:"encoding"`
	UserAgent     string `json:"agent"`
	BodyFile      string `json:"body"`

	Sent []byte `json:"-"` // the body as it was sent; nil if it was not read
	Body []byte `json:"-"` // and without its compression with gzip
}

// StartNginx starts an nginx. It needs the package nginx of any distribution;
// nothing but its core and standard modules are used.
func StartNginx(t testing.TB, conf NginxConfig) *Nginx {
	t.Helper()
	program := Find(t, "nginx", "apt-get install nginx-light")
	port := Port(t)
	n := &Nginx{t: t, Address: Address(port), dir: Dir(t), conf: conf}
	n.configure()
	n.Process = Start(t, n.Address, program, "-p", n.dir, "-c", n.file("nginx.conf"), "-e", n.file("error.log"))
	t.Cleanup(func() {
		if text, err := os.ReadFile(n.file("error.log")); t.Failed() && err == nil {
			t.Logf("error.log of nginx:\n%s", text)
		}
	})
	return n
}

// URL returns the URL of a path of the server.
func (n *Nginx) URL(path string) string {
	if n.conf.TLS {
		return "https://" + n.Address + path
	}
	return "http://" + n.Address + path
}

// Reconfigure stops nginx and starts it with another configuration at the same
// address.
func (n *Nginx) Reconfigure(conf NginxConfig) {
	n.t.Helper()
	n.conf = conf
	n.Restart()
}

// Restart starts nginx again, after it was stopped or killed.
func (n *Nginx) Restart() {
	n.t.Helper()
	n.Stop()
	n.configure()
	n.Process.Restart()
}

func (n *Nginx) file(name string) string { return filepath.Join(n.dir, name) }

// One process, so that killing it leaves nothing behind. A body is kept by the
// server that the test talks to when it passes the request on to the other one,
// which is what a request has to do for its body to be read at all.
const nginxConf = `
daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events {}
http {
	access_log off;
	log_format requests escape=json '{"status":"$status","method":"$request_method","target":"$request_uri","protocol":"$server_protocol",'
		'"key":"$http_idempotency_key","authorization":"$http_authorization","type":"$content_type","encoding":"$http_content_encoding",'
		'"agent":"$http_user_agent","body":"$request_body_file"}';
	client_body_temp_path %[1]s/bodies-%03[2]d;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	client_max_body_size 64m;
	%[4]s
	server {
		listen %[3]s;
		access_log %[1]s/requests.log requests;
		%[5]s
		location / {
			client_body_in_file_only on;
			proxy_pass http://unix:%[1]s/inner-%[2]d;
			proxy_pass_request_body off;
			proxy_set_header Content-Length "";
			%[6]s
		}
	}
	server {
		listen unix:%[1]s/inner-%[2]d;
		return 204;
	}
}
`

// configure writes the configuration. Each run has a directory and a socket of
// its own: nginx counts bodies from 1 on, and leaves the socket behind when it
// is killed.
func (n *Nginx) configure() {
	n.t.Helper()
	n.runs++
	listen := n.Address
	if n.conf.TLS {
		listen += " ssl"
	}
	text := fmt.Sprintf(nginxConf, n.dir, n.runs, listen, n.conf.HTTP, n.conf.Server, n.conf.Location)
	if err := os.WriteFile(n.file("nginx.conf"), []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// Requests returns the requests that were answered, in that order, those of
// earlier runs included.
func (n *Nginx) Requests() []Received {
	n.t.Helper()
	text, err := os.ReadFile(n.file("requests.log"))
	if err != nil {
		n.t.Fatal(err)
	}
	var all []Received
	for line := range bytes.Lines(text) {
		var r Received
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // being written, or cut short when nginx was killed
		}
		if err := json.Unmarshal(line, &r); err != nil {
			n.t.Fatalf("requests.log: %v: %s", err, line)
		}
		if r.BodyFile != "" {
			r.Sent, r.Body = n.body(r)
		}
		all = append(all, r)
	}
	return all
}

func (n *Nginx) body(r Received) (sent, body []byte) {
	n.t.Helper()
	sent, err := os.ReadFile(r.BodyFile)
	if err != nil {
		n.t.Fatal(err)
	}
	if r.Encoding != "gzip" {
		return sent, sent
	}
	unzip, err := gzip.NewReader(bytes.NewReader(sent))
	if err == nil {
		body, err = io.ReadAll(unzip)
	}
	if err != nil {
		n.t.Fatalf("body of the request with the key %s: %v", r.Key, err)
	}
	return sent, body
}

// Stored returns all bodies as they were sent, in order, also of requests that
// nginx was killed while it had them: these may be incomplete, and those that it
// has answered may be missing from Requests.
func (n *Nginx) Stored() [][]byte {
	n.t.Helper()
	var bodies [][]byte
	for run := range n.runs {
		dir := n.file(fmt.Sprintf("bodies-%03d", run+1))
		entries, err := os.ReadDir(dir) // sorted by name, which is a number with leading zeros
		if err != nil {
			n.t.Fatal(err)
		}
		for _, e := range entries {
			body, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				n.t.Fatal(err)
			}
			bodies = append(bodies, body)
		}
	}
	return bodies
}

// Lines returns the lines, without newlines, of the bodies of all requests that were answered with
// 204, in the order in which they came. A request whose key was answered with
// that before is left out, as an idempotent receiver does.
func (n *Nginx) Lines() []string {
	n.t.Helper()
	var lines []string
	seen := make(map[string]bool)
	requests := n.Requests()
	// The log has them as they ended, which on two connections is not the same.
	// The files are numbered.
	slices.SortStableFunc(requests, func(a, b Received) int { return strings.Compare(a.BodyFile, b.BodyFile) })
	for _, r := range requests {
		if r.Status != 204 || r.Key != "" && seen[r.Key] {
			continue
		}
		seen[r.Key] = true
		lines = append(lines, strings.Split(strings.TrimSuffix(string(r.Body), "\n"), "\n")...)
	}
	return lines
}

// WaitFor waits until a request was answered with the given status.
func (n *Nginx) WaitFor(status int) {
	n.t.Helper()
	Wait(n.t, fmt.Sprintf("an answer %d of nginx", status), func() error {
		for _, r := range n.Requests() {
			if r.Status == status {
				return nil
			}
		}
		return fmt.Errorf("there were %d others", len(n.Requests()))
	})
}
