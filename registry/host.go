package registry

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// checkHosts checks a host, or several separated by commas. Its errors do not
// repeat any of it: what was to be a host may turn out to be a password.
func checkHosts(hosts string) error {
	if hosts == "" {
		return nil
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if err := checkHost(host); err != nil {
			return err
		}
	}
	return nil
}

func checkHost(host string) error {
	if host == "" {
		return errors.New("a comma in the host has no host before or after it")
	}
	if strings.ContainsFunc(host, notInHost) {
		return errors.New("the host contains a character that none can have")
	}
	if _, err := url.PathUnescape(host); err != nil {
		return errors.New("malformed percent-encoding in the host")
	}
	name, port, found := strings.Cut(host, ":")
	if strings.HasPrefix(host, "[") {
		address, after, closed := strings.Cut(host, "]")
		if !closed || strings.ContainsAny(address[1:], "[") {
			return errors.New("the host has brackets that do not match")
		}
		name = ""
		if port, found = strings.CutPrefix(after, ":"); !found && after != "" {
			return errors.New("the host has something other than a port after the brackets")
		}
	}
	if strings.ContainsAny(name, "[]") {
		return errors.New("the host has brackets that do not match")
	}
	if found {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return errors.New("the port is not a number from 0 to 65535; an IPv6 address is written in brackets, and a password is followed by '@' and the host")
		}
	}
	return nil
}

// notInHost says which characters cannot be part of a host. Those that are
// not ASCII can: the resolver will tell.
func notInHost(r rune) bool {
	return r == unicode.ReplacementChar || r == ' ' || !unicode.IsPrint(r) || strings.ContainsRune("\"'\\^`{}|<>@()&;=$!*", r)
}
