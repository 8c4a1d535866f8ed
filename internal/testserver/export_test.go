package testserver

// LokiConf is how a Loki is configured that is started here.
const LokiConf = lokiConf
