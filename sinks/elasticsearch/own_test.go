package elasticsearch_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
)

// These tests are for one server, which has users, takes little at once, and is
// killed in the end. Each starts from what the ones before it leave.
func TestServerOfItsOwn(t *testing.T) {
	t.Parallel()
	e := testserver.StartElasticsearch(t, "xpack.security.enabled=true", "xpack.security.authc.api_key.enabled=true", "http.max_content_length=100kb", "indexing_pressure.memory.limit=90kb")
	for _, test := range []struct {
		name string
		test func(*testing.T, *testserver.Elasticsearch)
	}{
		{"password", testPassword},
		{"privileges", testPrivileges},
		{"refused credentials", testRefusedCredentials},
		{"too large", testTooLarge},
		{"deleted index", testDeletedIndex},
		{"killed", testKilled},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(t, e) })
	}
}

// as makes a URI with a user.
func as(user, password, address, index, parameters string) string {
	return "elasticsearch://" + user + ":" + password + "@" + address + "/" + index + "?" + parameters
}

func admin(address, index, parameters string) string {
	return as(testserver.ElasticsearchUser, testserver.ElasticsearchPassword, address, index, parameters)
}

// writer is a role that may create indices and documents, and nothing else.
const writer = `{"indices":[{"names":["logs*"],"privileges":["create_index","view_index_metadata","create_doc"]}]}`

// setUser changes a user whose role is for indices with names logs*, and waits until
// the server knows of both, which it reads from files of their own.
func setUser(t *testing.T, e *testserver.Elasticsearch, name, password, role string) {
	t.Helper()
	e.User(name, password, role)
	testserver.Wait(t, "the user", func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.Address+"/_security/user/_privileges", nil)
		if err != nil {
			return err
		}
		req.SetBasicAuth(name, password)
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil && !strings.Contains(string(text), "logs*") {
			err = fmt.Errorf("the answer is %d: %s", resp.StatusCode, text)
			e.Do(http.MethodPost, "/_security/role/*/_clear_cache", "") // it remembers that there is no such role
		}
		return err
	})
}

// A password that is being changed costs nothing.
func testPassword(t *testing.T, e *testserver.Elasticsearch) {
	setUser(t, e, "shop", "first-password", writer)
	uri := as("shop", "first-password", e.Address, "logs-password", "soft_start=true")
	out := sinktest.Open(t, uri)
	setUser(t, e, "shop", "second-password", writer)
	_, err := fapilog.Open(t.Context(), uri)
	require.ErrorContains(t, err, "answered 401 Unauthorized: security_exception: unable to authenticate user [shop]", "not waived")
	log := slog.New(fapilog.Handler(out, nil))
	for i := range 10 {
		log.Info("record", "i", i)
	}
	sinktest.WaitFor(t, out, fapilog.StateHeld)
	require.ErrorContains(t, out.Stats().Sinks[0].LastError, "answered 401 Unauthorized")
	require.ErrorContains(t, out.Stats().Sinks[0].LastError, "give credentials that are valid")
	require.NotContains(t, out.Stats().Sinks[0].LastError.Error(), "first-password")
	e.User("shop", "first-password", writer)
	sinktest.Flush(t, out)
	st := out.Stats().Sinks[0]
	require.EqualValues(t, 10, st.Delivered)
	require.Zero(t, st.Dropped+st.Rejected)
	requireOnce(t, e, "logs-password", 10)
}

// A user without a privilege is told which.
func testPrivileges(t *testing.T, e *testserver.Elasticsearch) {
	setUser(t, e, "reader", "pass-word", `{"indices":[{"names":["logs*"],"privileges":["read","view_index_metadata"]}]}`)
	err := sinktest.Probe(t, sinktest.MustOpenURI(t, as("reader", "pass-word", e.Address, "logs-new", "")))
	require.ErrorContains(t, err, "create the index logs-new: elasticsearch: PUT http://"+e.Address+": answered 403 Forbidden: security_exception")
	require.ErrorContains(t, err, "create_index")
	s := sinktest.MustOpenURI(t, as("reader", "pass-word", e.Address, "logs-password", ""))
	require.NoError(t, sinktest.Probe(t, s), "what it may not write is found out when it writes")
	batch := sinktest.NewLog("LOG", "").Batch(numbered(2)...)
	err = s.Write(t.Context(), batch)
	require.ErrorContains(t, err, "answered 403")
	require.ErrorContains(t, err, "create_doc")
	kind := sinktest.KindOf(err)
	if items, ok := err.(*sinks.BatchError); ok {
		require.Len(t, items.Items, 2)
		kind = sinktest.KindOf(items.Items[1])
	}
	require.Equal(t, verdict.Hold, kind)

	// Nothing but this one is needed for an index that is there.
	setUser(t, e, "writer", "pass-word", `{"indices":[{"names":["logs*"],"privileges":["create_doc"]}]}`)
	s = sinktest.MustOpenURI(t, as("writer", "pass-word", e.Address, "logs-password", ""))
	require.NoError(t, sinktest.Probe(t, s))
	require.NoError(t, s.Write(t.Context(), batch))
	require.NoError(t, s.Write(t.Context(), batch))
	mustHave(t, e, "logs-password", 12)
}

// Keys and tokens that are refused are waited for.
func testRefusedCredentials(t *testing.T, e *testserver.Elasticsearch) {
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte("some-id:some-key\n"), 0o600))
	for _, name := range []string{"api_key_file", "token_file"} {
		s := sinktest.MustOpenURI(t, uriOf(e.Address, "logs", name+"="+file))
		err := sinktest.Probe(t, s)
		require.ErrorContains(t, err, "answered 401 Unauthorized: security_exception: unable to authenticate with provided credentials")
		require.Equal(t, verdict.Hold, sinktest.KindOf(s.Write(t.Context(), sinktest.NewLog("LOG", "").Batch(numbered(1)...))))
	}
	require.ErrorContains(t, sinktest.Probe(t, sinktest.MustOpenURI(t, uriOf(e.Address, "logs", ""))), "missing authentication credentials")
}

// What is larger than a server takes is divided, and a record that is too large
// by itself is rejected.
func testTooLarge(t *testing.T, e *testserver.Elasticsearch) {
	s := sinktest.MustOpenURI(t, admin(e.Address, "large", ""))
	long := func(n int) slog.Record { return record(strings.Repeat("x", n)) }
	log := sinktest.NewLog("LOG", "")
	batch := log.Batch(long(60<<10), long(60<<10))
	require.Equal(t, verdict.TooLarge, sinktest.KindOf(s.Write(t.Context(), batch)))
	require.NoError(t, s.Write(t.Context(), batch[:1]))
	require.NoError(t, s.Write(t.Context(), batch[1:]))
	err := s.Write(t.Context(), log.Batch(long(95<<10)))
	require.ErrorContains(t, err, "answered 429 Too Many Requests: es_rejected_execution_exception: rejected execution")
	require.Equal(t, verdict.TooLarge, sinktest.KindOf(err), "it is too many for that server by itself")
	require.Equal(t, verdict.TooLarge, sinktest.KindOf(s.Write(t.Context(), log.Batch(long(8<<20)))), "so that writing does not end before the answer")

	out := sinktest.Open(t, admin(e.Address, "fanout", "batch=100&linger=10s"))
	logger := slog.New(fapilog.Handler(out, nil))
	for i := range 100 {
		if i == 50 {
			logger.Info(strings.Repeat("x", 200<<10))
		} else {
			logger.Info(strings.Repeat("x", 10<<10), "i", i)
		}
	}
	require.ErrorContains(t, out.Flush(t.Context()), "1 record lost (0 dropped, 1 rejected)")
	st := out.Stats().Sinks[0]
	require.EqualValues(t, 99, st.Delivered)
	require.EqualValues(t, 1, st.Rejected)
	require.ErrorContains(t, st.LastError, "413")
	require.Equal(t, 99, e.Count("fanout"))
}

// An index that is deleted is there again, with the mapping if the server does
// not create indices by itself.
func testDeletedIndex(t *testing.T, e *testserver.Elasticsearch) {
	e.Do(http.MethodPut, "/_cluster/settings", `{"transient":{"action.auto_create_index":"false"}}`)
	log := sinktest.NewLog("LOG", "")
	s := sinktest.MustOpenURI(t, admin(e.Address, "logs", ""))
	require.NoError(t, s.Write(t.Context(), log.Batch(numbered(3)...)), "it was created before the first batch")
	e.Do(http.MethodDelete, "/logs", "")
	batch := log.Batch(numbered(3)...)
	err := s.Write(t.Context(), batch)
	require.ErrorContains(t, err, "index_not_found_exception")
	require.Len(t, itemsOf(t, err), 3)
	require.Equal(t, verdict.Hold, sinktest.KindOf(itemsOf(t, err)[0]))
	require.NoError(t, s.Write(t.Context(), batch))
	requireOnce(t, e, "logs", 3)
	require.Contains(t, string(e.Do(http.MethodGet, "/logs/_mapping", "")), `"date_detection":false`)

	held := sinktest.Open(t, admin(e.Address, "logs", "create=false"))
	e.Do(http.MethodDelete, "/logs", "")
	logger := slog.New(fapilog.Handler(held, nil))
	for i := range 10 {
		logger.Info("record", "i", i)
	}
	sinktest.WaitFor(t, held, fapilog.StateHeld)
	require.ErrorContains(t, held.Stats().Sinks[0].LastError, "create the index, or set create=true")
	require.NoError(t, sinktest.Probe(t, s))
	sinktest.Flush(t, held)
	requireOnce(t, e, "logs", 10)
}

// A server that is killed in the middle of batches, and started again, costs
// nothing, and what it had stored when the answer was lost is there once. The
// file beside it does not notice.
func testKilled(t *testing.T, e *testserver.Elasticsearch) {
	gate := sinktest.NewGate(t, e.Address, isBulk)
	file := filepath.Join(t.TempDir(), "log")
	out := sinktest.Open(t, admin(gate.Address, "killed", "batch=20&linger=0s"), "file://"+file)
	log := slog.New(fapilog.Handler(out, nil))
	const records = 300
	for i := range records {
		switch i {
		case 100:
			sinktest.Flush(t, out)
			gate.Set(gate.Lose)
		case 150:
			e.Kill()
			gate.Set(nil)
		case 200:
			testserver.Wait(t, "the file", func() error {
				if got := out.Stats().Sinks[1].Delivered; got != 200 {
					return fmt.Errorf("it has %d records", got)
				}
				return nil
			})
			require.NotEqual(t, fapilog.StateOK, out.Stats().Sinks[0].State)
			e.Restart()
		}
		log.Info("record", "i", i)
	}
	sinktest.Flush(t, out)
	st := out.Stats().Sinks[0]
	require.EqualValues(t, records, st.Delivered)
	require.Zero(t, st.Rejected+st.Dropped+st.Pending)
	require.NotZero(t, st.Retries)
	require.Zero(t, out.Stats().Sinks[1].Retries)
	requireOnce(t, e, "killed", records)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, records, strings.Count(string(text), "\n"))
}
