package elasticsearch

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fapilog/fapilog/internal/httpsink"
	"github.com/fapilog/fapilog/sinks"
)

// A bulkAnswer is the answer to a bulk request, as far as filterPath lets it
// through. There is an item for each action, in the order of the actions.
type bulkAnswer struct {
	Items []struct {
		Create *bulkItem `json:"create"`
	} `json:"items"`
}

// filterPath keeps answers small, and leaves the items in their places: each has
// a status.
const filterPath = "items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.type,items.*.error.caused_by.reason"

type bulkItem struct {
	Status int    `json:"status"`
	Error  *cause `json:"error"`
}

// A cause is what a server says about an error.
type cause struct {
	Type     string `json:"type"`
	Reason   string `json:"reason"`
	CausedBy *cause `json:"caused_by"`
}

// The end of what is said about a field, or by a processor of a pipeline, quotes
// the record.
var quotesRecord = regexp.MustCompile(`(?s)(?: in document with id '| Preview of field's value: |\n at \[Source: ` +
	`|( not match field value| against source|For input string|unable to convert|unable to parse date)\b).*$`)

// position is where in the document an error is, as Elasticsearch 8 says first:
// each record would have a reason of its own.
var position = regexp.MustCompile(`^\[-?\d+:-?\d+\] `)

// plain returns a reason without the parts that are about one record.
func plain(reason string) string {
	reason = quotesRecord.ReplaceAllString(position.ReplaceAllString(reason, ""), "$1")
	return strings.TrimSuffix(reason, ".")
}

// text returns the error without the parts that are about one record.
func (c *cause) text() string {
	if c == nil {
		return "without a reason"
	}
	reason := plain(c.Reason)
	text := c.Type + ": " + reason
	if by := c.CausedBy; by != nil && (reason == "" || reason == "failed to parse") && by.Reason != "" {
		text += ": " + plain(by.Reason)
	}
	return text
}

// errorOf returns what an answer that is no success says, or nil if that is not
// said in the way of these servers.
func errorOf(body []byte) *cause {
	var answer struct{ Error json.RawMessage }
	if json.Unmarshal(body, &answer) != nil || len(answer.Error) == 0 {
		return nil
	}
	c := new(cause)
	if json.Unmarshal(answer.Error, c) == nil && c.Type != "" {
		return c
	}
	var text string
	if json.Unmarshal(answer.Error, &text) == nil && text != "" {
		return &cause{Reason: text}
	}
	return nil
}

// Types of errors.
const (
	alreadyExists   = "resource_already_exists_exception"
	blocked         = "cluster_block_exception"
	security        = "security_exception"
	versionConflict = "version_conflict_engine_exception"
	illegalArgument = "illegal_argument_exception"
	failProcessor   = "fail_processor_exception"
)

// unparsable are the types of errors for a whole bulk request that speak of what
// is in it.
var unparsable = []string{"parse_exception", "json_parse_exception", "json_e_o_f_exception", "x_content_parse_exception", "x_content_e_o_f_exception"}

// judge returns the verdict on a request as a whole. 200 is nil, whatever is in
// the answer.
func (s *Sink) judge(answer *httpsink.Response) error {
	if answer.Status == http.StatusOK {
		return nil
	}
	said := errorOf(answer.Body)
	if said != nil {
		// It is said several times there, and in many words.
		answer.Body = []byte(strings.TrimPrefix(said.text(), ": "))
	}
	err := answer.Verdict()
	advice := ""
	switch answer.Status {
	case http.StatusUnauthorized:
		advice = "give credentials that are valid: user and password in the URI, api_key_file, api_key_env, token_file or token_env"
	case http.StatusForbidden:
		advice = "the user or API key needs the privilege create_doc for the index, and to create it create_index and view_index_metadata"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		advice = "is this the address of an Elasticsearch or OpenSearch?"
	}
	switch {
	case said == nil:
	case said.Type == blocked && answer.Status != http.StatusServiceUnavailable:
		return sinks.Hold(fmt.Errorf("%w: %s", err, unblock))
	case answer.Status == http.StatusTooManyRequests && neverFits(said.Reason):
		return sinks.TooLarge(err)
	case answer.Status == http.StatusBadRequest && !slices.Contains(unparsable, said.Type):
		return sinks.Hold(err)
	case answer.Status == http.StatusNotFound:
		advice = missingIndex
	}
	if advice == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, advice)
}

// pressure is what a request has and what a server has for all requests at once
// (indexing_pressure.memory.limit, a tenth of its heap), in bytes.
var pressure = regexp.MustCompile(`_operation_bytes=(\d+), max_coordinating_and_primary_bytes=(\d+)\b`)

// neverFits reports whether a server that is said to be busy would be that with no
// other request, either.
func neverFits(reason string) bool {
	m := pressure.FindStringSubmatch(reason)
	if m == nil {
		return false
	}
	has, err := strconv.ParseUint(m[1], 10, 64)
	limit, err2 := strconv.ParseUint(m[2], 10, 64)
	return err == nil && err2 == nil && has > limit
}

const (
	unblock      = "remove the block from the index or the cluster, and make room if the disk is full"
	missingIndex = "create the index, or set create=true"
)

// A fate is what has become of a document.
type fate int

const (
	failed    fate = iota // as its error says
	delivered             // now or before
	refused               // for what its fields are
)

// notForFields are what is said with the type illegal_argument_exception about
// something else than the fields of a document.
var notForFields = regexp.MustCompile(`^no write index is defined|^pipeline with id|^only write ops|is not an alias$|^cannot create index|^Validation Failed|^Number of documents in `)

// needOperator are types of errors with the status 400 that no other document
// would help against.
var needOperator = []string{"index_closed_exception", "invalid_index_name_exception", "validation_exception", "index_creation_exception"}

// fateOf judges an item, whose error is for people.
func (s *Sink) fateOf(answer *httpsink.Response, item *bulkItem) (fate, error) {
	kind := ""
	if item.Error != nil {
		kind = item.Error.Type
	}
	fail := func() error {
		return fmt.Errorf("elasticsearch: POST %s: answered %d for the record: %s", s.where, item.Status, answer.Show(item.Error.text()))
	}
	switch status := item.Status; {
	case (status == http.StatusOK || status == http.StatusCreated) && item.Error == nil:
		return delivered, nil
	case status == http.StatusConflict && kind == versionConflict:
		return delivered, nil // by an attempt whose answer was lost
	case status == http.StatusServiceUnavailable, status == http.StatusConflict:
		return failed, fail()
	case kind == blocked:
		return failed, sinks.Hold(fmt.Errorf("%w: %s", fail(), unblock))
	case status == http.StatusRequestEntityTooLarge, kind == failProcessor:
		// The second is what a pipeline of the operator's refuses, with 500.
		return failed, sinks.Permanent(fail())
	case status == http.StatusBadRequest:
		if slices.Contains(needOperator, kind) || kind == illegalArgument && notForFields.MatchString(item.Error.Reason) {
			return failed, sinks.Hold(fail())
		}
		return refused, sinks.Permanent(fail())
	case status == http.StatusTooManyRequests, status >= 500 && status <= 599, status < 300:
		return failed, fail()
	case status == http.StatusNotFound:
		return failed, sinks.Hold(fmt.Errorf("%w: %s", fail(), missingIndex))
	default:
		return failed, sinks.Hold(fail())
	}
}

// items returns the items of an answer with the status 200 to a request with n
// documents. An error means that nothing is known about any of them.
func (s *Sink) items(answer *httpsink.Response, n int) ([]*bulkItem, error) {
	fail := func(why error) error {
		return fmt.Errorf("elasticsearch: POST %s: it is not known what is stored: %w", s.where, why)
	}
	if answer.Err != nil {
		if len(answer.Body) >= keepAnswer {
			return nil, sinks.TooLarge(fail(answer.Err))
		}
		return nil, fail(answer.Err)
	}
	var bulk bulkAnswer
	if err := json.Unmarshal(answer.Body, &bulk); err != nil {
		return nil, fail(fmt.Errorf("the answer is malformed: %s", answer.Quote()))
	}
	if len(bulk.Items) != n {
		return nil, fail(fmt.Errorf("the answer has %d items for %d documents: %s", len(bulk.Items), n, answer.Quote()))
	}
	items := make([]*bulkItem, n)
	for i, item := range bulk.Items {
		if item.Create == nil || item.Create.Status == 0 {
			return nil, fail(errors.New("the answer has an item without a status"))
		}
		items[i] = item.Create
	}
	return items, nil
}
