// Package loopback knows the names of this machine itself.
package loopback

import (
	"net"
	"strings"
)

// Names reports whether a request that was addressed to this host, with or without a port, was sent to this machine by its own name.
// A page of another site whose name was bound to 127.0.0.1 names that site.
func Names(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	ip := net.ParseIP(name)
	return strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback()
}
