package sandbox_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/sandbox"
)

// TestServeAnswersOnceItPrints reads the lines, asks the endpoint at once, and ends the context.
func TestServeAnswersOnceItPrints(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	var problems bytes.Buffer
	exit := make(chan int)
	go func() {
		defer in.Close()
		exit <- sandbox.Serve(ctx, []string{"--listen", "127.0.0.1:0", "--speed", "10"}, in, &problems)
	}()
	endpoint := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "export AWS_ENDPOINT_URL="); ok {
			endpoint = value
		}
		if strings.HasPrefix(lines.Text(), "unset") {
			break
		}
	}
	answer, err := http.Get(endpoint + "/_sandbox")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if answer.StatusCode != 200 || !strings.Contains(string(body), `"service":"connect2-api-service-dev"`) {
		t.Errorf("the status is %d %s", answer.StatusCode, body)
	}
	cancel()
	if code := <-exit; code != 0 || !strings.Contains(problems.String(), "stopped") {
		t.Errorf("exit code %d, %s", code, &problems)
	}
	if _, err := http.Get(endpoint); err == nil {
		t.Error("it still answers")
	}
}

func TestServeRefusesBadArguments(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("servise: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		exit int
		want string
	}{
		{[]string{"--help"}, 0, "Usage: connect2 sandbox"},
		{[]string{"--help"}, 0, "--outputs FILE"},
		{[]string{"--sped", "2"}, 1, "unknown flag --sped: did you mean --speed?"},
		{[]string{"extra"}, 1, `unexpected argument "extra"`},
		{[]string{"--scenario", "/none.yaml"}, 1, "no such file"},
		{[]string{"--scenario", bad}, 1, "field servise not found"},
		{[]string{"--outputs", "/none.json"}, 1, "outputs: open /none.json"},
		{[]string{"--outputs", bad}, 1, "not what `terraform output -json` prints"},
		{[]string{"--listen", "nowhere"}, 1, "choose another with --listen"},
		{[]string{"--run-tasks", "podman"}, 1, "only docker can run tasks"},
	} {
		var out bytes.Buffer
		if exit := sandbox.Serve(t.Context(), tt.args, &out, &out); exit != tt.exit || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%q: exit %d, %s; want %d and %q", tt.args, exit, &out, tt.exit, tt.want)
		}
	}
}
