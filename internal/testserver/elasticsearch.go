package testserver

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Elasticsearch is an Elasticsearch or an OpenSearch of one node. What it has
// answered survives its being killed.
type Elasticsearch struct {
	*Process        // nil, if it is the one of the environment variable
	Address  string // host:port

	t    testing.TB
	conf string // its directory of configuration
}

// The user that servers with xpack.security.enabled=true have: a superuser.
const (
	ElasticsearchUser     = "admin"
	ElasticsearchPassword = "s3cr3t-passw0rd"
)

// A distribution is one that can be had as a package of Maven. It has the server
// with the modules that its own tests need; that of Elasticsearch has security.
type distribution struct {
	name, version string
	group         string // of the package
	prefix, class string // of Java
	variable      string // environment variable with the address, host:port, of one to use instead
}

var (
	elasticsearch = distribution{
		name: "elasticsearch", version: "7.17.28", group: "org.elasticsearch.distribution.integ-test-zip",
		prefix: "es", class: "org.elasticsearch.bootstrap.Elasticsearch", variable: "FAPILOG_TEST_ELASTICSEARCH",
	}
	opensearch = distribution{
		name: "opensearch", version: "2.19.3", group: "org.opensearch.distribution.integ-test-zip",
		prefix: "opensearch", class: "org.opensearch.bootstrap.OpenSearch", variable: "FAPILOG_TEST_OPENSEARCH",
	}
)

// StartElasticsearch starts an Elasticsearch with settings as in
// elasticsearch.yml, each as name=value. It needs a Java from 11 to 17, and
// Maven, with which it is fetched if it is missing and the test has the time for
// that:
//
//	go test -timeout 1h -run TestElasticsearch ./internal/testserver
func StartElasticsearch(t testing.TB, settings ...string) *Elasticsearch {
	t.Helper()
	return elasticsearch.start(t, settings)
}

// StartOpenSearch is StartElasticsearch for OpenSearch, which has data streams
// and no security.
func StartOpenSearch(t testing.TB, settings ...string) *Elasticsearch {
	t.Helper()
	return opensearch.start(t, settings)
}

// SharedElasticsearch returns an Elasticsearch for tests that leave the server as
// it is, and use indices with the names that Index makes: that of the environment variable
// FAPILOG_TEST_ELASTICSEARCH (host:port), or one for all tests of the package,
// which must have [Main].
func SharedElasticsearch(t testing.TB) *Elasticsearch {
	t.Helper()
	return elasticsearch.share(t)
}

// SharedOpenSearch is SharedElasticsearch for OpenSearch and
// FAPILOG_TEST_OPENSEARCH.
func SharedOpenSearch(t testing.TB) *Elasticsearch {
	t.Helper()
	return opensearch.share(t)
}

func (d distribution) share(t testing.TB) *Elasticsearch {
	t.Helper()
	server := shared.get(t, d.name, func(t testing.TB) *Elasticsearch {
		if address := os.Getenv(d.variable); address != "" {
			return &Elasticsearch{Address: address}
		}
		return d.start(t, nil)
	})
	return &Elasticsearch{Address: server.Address, t: t}
}

func (d distribution) start(t testing.TB, settings []string) *Elasticsearch {
	t.Helper()
	java := Find(t, "java", "apt-get install openjdk-17-jre-headless")
	home := filepath.Dir(filepath.Dir(d.download().find(t)))
	dir := Dir(t)
	port := Port(t)
	conf := filepath.Join(dir, "config")
	text := fmt.Sprintf(elasticsearchConf, port, Port(t), dir)
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		text += fmt.Sprintf("%s: %s\n", name, value)
	}
	for name, text := range map[string]string{
		d.name + ".yml":     text,
		"log4j2.properties": elasticsearchLogging,
		"users":             ElasticsearchUser + ":" + ElasticsearchPassword + "\n",
		"users_roles":       "superuser:" + ElasticsearchUser + "\n",
		"roles.yml":         "",
	} {
		if err := os.MkdirAll(conf, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(conf, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := append(slices.Clone(elasticsearchJava),
		"-Djava.io.tmpdir="+dir, "-D"+d.prefix+".path.home="+home, "-D"+d.prefix+".path.conf="+conf,
		"-cp", filepath.Join(home, "lib", "*"), d.class)
	e := &Elasticsearch{t: t, Address: Address(port), conf: conf}
	e.Process = Start(t, e.Address, "env", slices.Concat([]string{"LIBFFI_TMPDIR=" + dir, java}, args)...) // Elasticsearch insists on the variable
	e.ready()
	return e
}

// The disk of those who run the tests may be as full as it likes.
const elasticsearchConf = `
network.host: 127.0.0.1
http.port: %[1]d
transport.port: %[2]d
discovery.type: single-node
path.data: %[3]s/data
path.logs: %[3]s/logs
cluster.routing.allocation.disk.threshold_enabled: false
resource.reload.interval.high: 50ms
`

const elasticsearchLogging = `
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = error
rootLogger.appenderRef.console.ref = console
`

// elasticsearchJava are options for a small server that starts quickly. Without
// its native library it does not ask whether root runs it.
var elasticsearchJava = []string{
	"-Xms512m", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
	"-Djna.nounpack=true", "-Djna.nosys=true", "-Djna.noclasspath=true",
	"-Djava.security.manager=allow", "-Djava.locale.providers=SPI,COMPAT", "-Dlog4j2.disable.jmx=true",
}

// ready waits until the server takes documents.
func (e *Elasticsearch) ready() {
	e.t.Helper()
	Wait(e.t, "Elasticsearch to be ready", func() error {
		_, err := e.TryDo(http.MethodGet, "/_cluster/health?wait_for_status=yellow&timeout=10s", "")
		return err
	})
}

// Restart starts the server again, after it was stopped or killed, and waits
// until it has its data.
func (e *Elasticsearch) Restart() {
	e.t.Helper()
	e.Process.Restart()
	e.ready()
}

// User gives a user a password and a role, which has the given definition, in the
// JSON of roles.yml. It needs the setting xpack.security.enabled=true. The server
// knows of it a moment later.
func (e *Elasticsearch) User(name, password, role string) {
	e.t.Helper()
	// In this order: the server remembers that a user's role is missing.
	e.setLine("roles.yml", name+": ", role)
	e.setLine("users_roles", name+":", name)
	e.setLine("users", name+":", password)
}

// setLine changes what follows after the prefix of a line in a file of the
// configuration, or adds the line.
func (e *Elasticsearch) setLine(name, prefix, rest string) {
	e.t.Helper()
	file := filepath.Join(e.conf, name)
	text, err := os.ReadFile(file)
	if err != nil {
		e.t.Fatal(err)
	}
	lines := slices.DeleteFunc(strings.SplitAfter(string(text), "\n"), func(line string) bool { return strings.HasPrefix(line, prefix) })
	if err := os.WriteFile(file, []byte(strings.Join(lines, "")+prefix+rest+"\n"), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// Index returns the name of an index, or the beginning of one, that no other test
// has. Indices with such names are deleted at the end of the test.
func (e *Elasticsearch) Index() string {
	e.t.Helper()
	name := fmt.Sprintf("test-%016x", rand.Uint64())
	e.t.Cleanup(func() {
		if e.Process == nil { // it outlives the test
			_, _ = e.TryDo(http.MethodDelete, "/_data_stream/"+name+"*", "") // not all servers have these
			if _, err := e.TryDo(http.MethodDelete, "/"+name+"*", ""); err != nil {
				e.t.Error(err)
			}
		}
	})
	return name
}

// TryDo makes a request with a body of JSON, or none, over a connection of its
// own, and returns the body of the answer. It is an error if the answer is one.
func (e *Elasticsearch) TryDo(method, target, body string) ([]byte, error) {
	req, err := http.NewRequest(method, "http://"+e.Address+target, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.SetBasicAuth(ElasticsearchUser, ElasticsearchPassword) // ignored without security
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %.1000s", method, target, resp.Status, text)
	}
	return text, err
}

// Do is TryDo for what must not fail.
func (e *Elasticsearch) Do(method, target, body string) []byte {
	e.t.Helper()
	text, err := e.TryDo(method, target, body)
	if err != nil {
		e.t.Fatal(err)
	}
	return text
}

// A Document is one that a search has found.
type Document struct {
	Index  string          `json:"_index"`
	ID     string          `json:"_id"`
	Source json.RawMessage `json:"_source"`
}

// Documents returns the documents of indices, whose names may contain *, in the
// order of a field.
func (e *Elasticsearch) Documents(indices, sortedBy string) ([]Document, error) {
	const page = 1000 // the most with which documents of 1 MB are no problem
	if _, err := e.TryDo(http.MethodPost, "/"+indices+"/_refresh", ""); err != nil {
		return nil, err
	}
	type answer struct {
		Scroll string `json:"_scroll_id"`
		Hits   struct{ Hits []Document }
	}
	var all []Document
	body := fmt.Sprintf(`{"size":%d,"sort":[{%q:{"unmapped_type":"long"}}]}`, page, sortedBy)
	target := "/" + indices + "/_search?scroll=1m"
	for {
		text, err := e.TryDo(http.MethodPost, target, body)
		if err != nil {
			return nil, err
		}
		var a answer
		if err := json.Unmarshal(text, &a); err != nil {
			return nil, fmt.Errorf("search %s: %w", indices, err)
		}
		if len(a.Hits.Hits) == 0 {
			_, err := e.TryDo(http.MethodDelete, "/_search/scroll", fmt.Sprintf(`{"scroll_id":%q}`, a.Scroll))
			return all, err
		}
		all = append(all, a.Hits.Hits...)
		target, body = "/_search/scroll", fmt.Sprintf(`{"scroll":"1m","scroll_id":%q}`, a.Scroll)
	}
}

// Count returns how many documents indices have, whose names may contain *.
func (e *Elasticsearch) Count(indices string) int {
	e.t.Helper()
	e.Do(http.MethodPost, "/"+indices+"/_refresh", "")
	var answer struct{ Count int }
	if err := json.Unmarshal(e.Do(http.MethodGet, "/"+indices+"/_count", ""), &answer); err != nil {
		e.t.Fatal(err)
	}
	return answer.Count
}

// download has the directory lib of the distribution, and the others beside it.
func (d distribution) download() download {
	return download{
		dir: d.name + "-" + d.version, file: filepath.Join("lib", d.name+"-"+d.version+".jar"), takes: 10 * time.Minute, make: d.fetch,
		install: "go test -timeout 1h -run TestElasticsearch ./internal/testserver fetches it (50 MB, with Maven: apt-get install maven)",
	}
}

// fetch unpacks the distribution such that file is there.
func (d distribution) fetch(file string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("fetch %s: Maven is missing: apt-get install maven", d.name)
	}
	home := filepath.Dir(filepath.Dir(file))
	unpacked := home + ".new"
	if err := os.RemoveAll(unpacked); err != nil {
		return err
	}
	defer os.RemoveAll(unpacked)
	cmd := exec.Command(mvn, "--batch-mode", "--quiet", "--strict-checksums",
		"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy",
		"-Dartifact="+d.group+":"+d.name+":"+d.version+":zip", "-DoutputDirectory="+unpacked)
	cmd.Dir = filepath.Dir(home) // where there is no project
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch %s: %w: %s", d.name, err, bytes.TrimSpace(out))
	}
	archive, err := zip.OpenReader(filepath.Join(unpacked, d.name+"-"+d.version+".zip"))
	if err != nil {
		return err
	}
	defer archive.Close()
	inside, err := fs.Sub(archive, d.name+"-"+d.version)
	if err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(unpacked, "home"), inside); err != nil {
		return err
	}
	if err := os.RemoveAll(home); err != nil {
		return err
	}
	return os.Rename(filepath.Join(unpacked, "home"), home)
}
