package reach_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/reach"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/run"
	"github.com/org/connect2/v2/pkg/sandbox"
)

// TestTunnelOutlivesItsSession starts a stopped bastion, opens the tunnel, and uses it before and after the session was cut and ended.
func TestTunnelOutlivesItsSession(t *testing.T) {
	database := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("reached")) }))
	defer database.Close()
	sb, getenv := world(t, &sandbox.Scenario{Speed: 100, Bastion: sandbox.BastionScenario{State: "stopped"}},
		map[string]string{"connect2-api-dev.sandbox.internal": strings.TrimPrefix(database.URL, "http://")})
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	told := make(chan string, 100)
	code := make(chan int, 1)
	go func() {
		code <- run.Command(ctx, reach.Tunnel, []string{"database", "--bastion", bastionName, "--start"}, io.Discard, io.Discard,
			&action.Env{Getenv: getenv, Events: func(e record.Event) {
				if e.Text != "" {
					told <- e.Text
				}
			}})
	}()
	hear := func(pattern string) []string {
		t.Helper()
		for {
			select {
			case text := <-told:
				if m := regexp.MustCompile(pattern).FindStringSubmatch(text); m != nil {
					return m
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("nobody told %s", pattern)
			}
		}
	}
	hear("Starting the bastion i-0a1b2c3d4e5f60001")
	address := hear(`^(127\.0\.0\.1:\d+) goes to connect2-api-dev.sandbox.internal:5432 \(database\) through i-0a1b2c3d4e5f60001`)[1]
	ask := func() {
		t.Helper()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
		answer, err := client.Get("http://" + address)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "reached" {
			t.Errorf("%q, %v", body, err)
		}
	}
	ask()
	sb.DropSessions()
	ask()
	sb.EndSessions()
	hear("The session has ended")
	ask()
	cancel(action.ErrInterrupted)
	select {
	case <-code:
	case <-time.After(20 * time.Second):
		t.Fatal("the tunnel does not end")
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("somebody listens still")
	}
}

// TestClientThatIsNotInstalled is told before anything is opened.
func TestClientThatIsNotInstalled(t *testing.T) {
	sb, getenv := world(t, nil, nil)
	t.Setenv("PATH", t.TempDir())
	code, _, stderr := command(t, reach.Psql, getenv, "--bastion", bastionName)
	if code != 1 || !strings.Contains(stderr, "psql is not installed") || len(sb.Journal()) != 0 {
		t.Errorf("ended with %d after %d calls\n%s", code, len(sb.Journal()), stderr)
	}
}

// TestClientGetsTheLogin looks at what a program called psql finds, and takes its exit code.
func TestClientGetsTheLogin(t *testing.T) {
	const secret = `{"username":"u","password":"hidden","host":"db.internal","database":"d"}`
	_, getenv := world(t, &sandbox.Scenario{Secrets: map[string]sandbox.Text{"connect2-api/dev/rds-credentials": secret}}, nil)
	folder := t.TempDir()
	program := "#!/bin/sh\necho \"$PGUSER $PGDATABASE $PGHOST $PGSSLMODE $*\"\ntest \"$PGPASSWORD\" = hidden && exit 9\n"
	if err := os.WriteFile(filepath.Join(folder, "psql"), []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	code, stdout, stderr := command(t, reach.Psql, getenv, "--bastion", bastionName, "--", "-c", "select 1")
	if want := "u d db.internal require -c select 1\n"; code != 9 || stdout != want {
		t.Errorf("ended with %d: %q, want %q\n%s", code, stdout, want, stderr)
	}
}
