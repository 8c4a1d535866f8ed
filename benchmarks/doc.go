// Command benchmarks measures what a log call costs with fapilog and with the
// handlers that a program could use instead, all in one run, and prints the
// results as Markdown.
//
// Times are not absolute: on a shared machine they move by a factor of two
// between runs. What can be relied on are ratios of figures of one run, because
// the contenders take turns in rounds of a few milliseconds, in an order that
// is shuffled for each round. See README.md for how to read the tables.
package main
