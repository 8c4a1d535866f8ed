//go:build race

package all_test

const raceEnabled = true // it takes a multiple of the memory
