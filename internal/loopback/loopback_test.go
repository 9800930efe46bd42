package loopback

import "testing"

func TestNames(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:4566": true, "127.8.9.1:80": true, "localhost": true, "LocalHost:8123": true, "[::1]:8123": true,
		"[::1]": true, "::1": true, "": false, "localhost.example.com": false, "example.com": false, "127.0.0.1.example.com:80": false,
		"10.0.0.1:4566": false, "0.0.0.0:80": false, "[fe80::1]:80": false,
	} {
		if got := Names(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}
