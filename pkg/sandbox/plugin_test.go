package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/org/connect2/v2/pkg/sandbox"
)

// pluginModule is AWS's client. It has no go.mod of its own; these are the versions that it builds with, as it vendors them.
const pluginModule = `module plugin

go 1.26

require (
	github.com/aws/session-manager-plugin v0.0.0-20260401221635-b79d06c1d3a2
	github.com/twinj/uuid v0.0.0-20151029044442-89173bcdda19
	golang.org/x/crypto v0.14.0
)
`

// plugin builds AWS's session-manager-plugin from its public module, or skips with the reason why it cannot be had.
func plugin(t *testing.T) string {
	t.Helper()
	if os.Getenv("CONNECT2_PLUGIN") == "" {
		t.Skip("it builds AWS's session-manager-plugin from the module proxy: make session-judge")
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "go.mod"), []byte(pluginModule), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-mod=mod", "-o", "session-manager-plugin",
		"github.com/aws/session-manager-plugin/src/sessionmanagerplugin-main")
	build.Dir, build.Env = folder, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("AWS's session-manager-plugin cannot be had from the module proxy: %v\n%s", err, out)
	}
	return filepath.Join(folder, "session-manager-plugin")
}

// startPlugin runs it as the AWS CLI does.
func startPlugin(t *testing.T, binary, endpoint string, response map[string]any, stdin io.Reader, stdout io.Writer) *exec.Cmd {
	t.Helper()
	encoded, err := json.Marshal(response)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, string(encoded), "us-west-2", "StartSession", "",
		`{"Target": "i-0a1b2c3d4e5f60001"}`, endpoint)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+sandbox.AccessKeyID, "AWS_SECRET_ACCESS_KEY=any", "AWS_REGION=us-west-2",
		"HOME="+t.TempDir())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// TestAWSPlugin has AWS's own client talk to the sandbox's sessions: this client and this stand-in share their code, and would agree on
// a mistake.
func TestAWSPlugin(t *testing.T) {
	binary := plugin(t)
	_, config := reachable(t, "service: {execute: true}", &sandbox.Sessions{})
	t.Run("a command in a container", func(t *testing.T) {
		out, err := execute(t, ecs.NewFromConfig(config), "sh -c 'stty size; read word; echo got $word; seq 20000; echo the end'")
		if err != nil {
			t.Fatal(err)
		}
		input, typed := io.Pipe()
		defer typed.Close()
		screen := &lines{}
		cmd := startPlugin(t, binary, *config.BaseEndpoint, map[string]any{"SessionId": *out.Session.SessionId,
			"StreamUrl":  *out.Session.StreamUrl,
			"TokenValue": *out.Session.TokenValue}, input, screen)
		screen.wait(t, "Starting session with SessionId: "+*out.Session.SessionId)
		go func() { _, _ = typed.Write([]byte("hello\n")) }()
		screen.wait(t, "the end")
		typed.Close() // Wait waits for who copies from it
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		for _, want := range []string{"got hello", "\r\n19999\r\n20000\r\n", "Exiting session with sessionId"} {
			screen.wait(t, want)
		}
	})
	t.Run("a port", func(t *testing.T) {
		data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(data) }))
		defer server.Close()
		host, port, _ := net.SplitHostPort(server.Listener.Addr().String())
		out, err := ssm.NewFromConfig(config).StartSession(t.Context(), &ssm.StartSessionInput{Target: aws.String("i-0a1b2c3d4e5f60001"),
			DocumentName: aws.String("AWS-StartPortForwardingSessionToRemoteHost"),
			Parameters:   map[string][]string{"host": {host}, "portNumber": {port}}})
		if err != nil {
			t.Fatal(err)
		}
		screen := &lines{}
		startPlugin(t, binary, *config.BaseEndpoint, map[string]any{"SessionId": *out.SessionId, "StreamUrl": *out.StreamUrl,
			"TokenValue": *out.TokenValue}, nil, screen)
		screen.wait(t, "Waiting for connections...")
		opened := regexp.MustCompile(`Port (\d+) opened`).FindStringSubmatch(screen.String())
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+opened[1], nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			cancel()
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		}
	})
}

// lines is what a program has printed so far.
type lines struct{ guarded }

func (l *lines) wait(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(l.String(), text); {
		if time.Now().After(deadline) {
			t.Fatalf("%q does not come; there is\n%.2000s", text, l.String())
		}
		l.more()
	}
}

// guarded is a buffer that may be read while it is written to.
type guarded struct {
	mu     sync.Mutex
	buffer bytes.Buffer
	signal chan struct{}
}

func (g *guarded) Write(data []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.signal != nil {
		close(g.signal)
		g.signal = nil
	}
	return g.buffer.Write(data)
}

func (g *guarded) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.buffer.String()
}

// more waits for the next write, or for a moment.
func (g *guarded) more() {
	g.mu.Lock()
	if g.signal == nil {
		g.signal = make(chan struct{})
	}
	signal := g.signal
	g.mu.Unlock()
	select {
	case <-signal:
	case <-time.After(100 * time.Millisecond):
	}
}
