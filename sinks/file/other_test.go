//go:build !unix

package file_test

func child(string) int { return 1 }
