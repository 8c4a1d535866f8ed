package testserver

// LokiConf is how a Loki is configured that is started here.
const LokiConf = lokiConf

// Distributions are the versions of Elasticsearch and OpenSearch.
func Distributions() map[string]string {
	return map[string]string{elasticsearch.name: elasticsearch.version, opensearch.name: opensearch.version}
}
