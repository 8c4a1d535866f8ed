//go:build !unix

package stdio_test

func child(string) int { return 1 }
