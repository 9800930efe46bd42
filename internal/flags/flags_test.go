package flags

import (
	"bytes"
	"flag"
	"strings"
	"testing"
)

func set() *flag.FlagSet {
	s := flag.NewFlagSet("connect2 sandbox", flag.ExitOnError)
	s.String("listen", "127.0.0.1:4566", "`HOST:PORT` to listen on")
	s.Float64("speed", 0, "virtual time `N` times faster")
	s.Bool("yes", false, "change without asking")
	return s
}

func TestParse(t *testing.T) {
	for name, test := range map[string]struct {
		args     []string
		code     int
		done     bool
		out, err string
	}{
		"right":           {args: []string{"--listen", "127.0.0.1:1", "-speed=2", "--yes"}},
		"near":            {[]string{"--lisen", "x"}, 1, true, "", "connect2 sandbox: unknown flag --lisen: did you mean --listen?\n"},
		"far from all":    {[]string{"--port=1"}, 1, true, "", "connect2 sandbox: unknown flag --port\n"},
		"without a value": {[]string{"--listen"}, 1, true, "", "connect2 sandbox: --listen needs a value\n"},
		"of another type": {[]string{"--speed", "fast"}, 1, true, "", `invalid value "fast" for --speed: parse error`},
		"asks for help": {[]string{"--help"}, 0, true,
			"Usage:\n  --listen HOST:PORT  [default 127.0.0.1:4566]\n        HOST:PORT to listen on\n", ""},
		"help is complete": {[]string{"-h"}, 0, true,
			"  --speed N\n        virtual time N times faster\n  --yes\n        change without asking\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out, err bytes.Buffer
			code, done := Parse(set(), "Usage:\n", test.args, &out, &err)
			if code != test.code || done != test.done || !strings.Contains(out.String(), test.out) || !strings.Contains(err.String(), test.err) ||
				(test.out == "") != (out.Len() == 0) || (test.err == "") != (err.Len() == 0) {
				t.Errorf("exit code %d, done %v\n%s\n%s", code, done, out.String(), err.String())
			}
			if err.Len() > 0 && !strings.HasSuffix(err.String(), "\nconnect2 sandbox --help lists the flags.\n") {
				t.Errorf("it does not say where the flags are listed: %s", err.String())
			}
		})
	}
}
