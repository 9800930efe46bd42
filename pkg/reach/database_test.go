package reach_test

import (
	"bytes"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/reach"
	"github.com/org/connect2/v2/pkg/run"
	"github.com/org/connect2/v2/pkg/sandbox"
)

const bastionName = "connect2-api-bastion-dev"

// world is a sandbox that forwards the database's and Redis's addresses to ports of this machine.
func world(t *testing.T, scenario *sandbox.Scenario, forward map[string]string) (sb *sandbox.Sandbox, getenv func(string) string) {
	t.Helper()
	sb, err := sandbox.Open(sandbox.Options{Scenario: scenario, Sessions: &sandbox.Sessions{Forward: forward}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sb)
	t.Cleanup(func() { sb.Close(); server.Close() })
	environ := sb.Environ()
	environ["AWS_ENDPOINT_URL"] = server.URL
	environ["AWS_CONFIG_FILE"], environ["AWS_SHARED_CREDENTIALS_FILE"], environ["AWS_EC2_METADATA_DISABLED"] = os.DevNull, os.DevNull, "true"
	for name, value := range environ { // the SDK reads the process's own
		t.Setenv(name, value)
	}
	return sb, func(name string) string { return environ[name] }
}

// command runs one of the commands as connect2 does.
func command(t *testing.T, a *action.Action, getenv func(string) string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	before := os.Stdout
	os.Stdout = file // what psql gets
	defer func() { os.Stdout = before }()
	var told bytes.Buffer
	exit := 0
	code = run.Command(t.Context(), a, args, file, &told, &action.Env{Getenv: getenv, Exit: &exit})
	if code == 0 {
		code = exit
	}
	printed, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return code, string(printed), told.String()
}

// postgres starts a PostgreSQL of Debian's packages, whose user postgres has a password, and returns its port.
func postgres(t *testing.T, password string) string {
	t.Helper()
	if os.Getenv("CONNECT2_DATABASE") == "" {
		t.Skip("it starts a PostgreSQL of Debian's packages: make database-e2e")
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Skip("there is no PostgreSQL: apt-get install postgresql postgresql-client")
	}
	bin := filepath.Dir(found[len(found)-1])
	folder, err := os.MkdirTemp("", "connect2-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	file := filepath.Join(folder, "password")
	if err := os.WriteFile(file, []byte(password), 0o644); err != nil {
		t.Fatal(err)
	}
	as := func(args ...string) *exec.Cmd {
		if os.Getuid() == 0 { // PostgreSQL refuses to run as root
			args = append([]string{"runuser", "-u", "postgres", "--"}, args...)
		}
		return exec.Command(args[0], args[1:]...)
	}
	if os.Getuid() == 0 {
		if out, err := exec.Command("chown", "-R", "postgres", folder).CombinedOutput(); err != nil {
			t.Skipf("there is no user postgres to run it as: %s", out)
		}
	}
	data := filepath.Join(folder, "data")
	if out, err := as(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", file,
		"-N").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	listener.Close()
	server := as(filepath.Join(bin, "postgres"), "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c",
		"unix_socket_directories="+folder)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("bash", "-c", "kill -INT $(head -1 "+data+"/postmaster.pid)").Run()
		_ = server.Wait()
	})
	for deadline := time.Now().Add(30 * time.Second); ; {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
			return port
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestPsqlThroughTheBastion opens a real psql on a real PostgreSQL, through a session of the sandbox, and copies 200 MB.
func TestPsqlThroughTheBastion(t *testing.T) {
	const password = "s3cret-of-the-database"
	port := postgres(t, password)
	const host = "connect2-api-dev.sandbox.internal"
	_, getenv := world(t, &sandbox.Scenario{Secrets: map[string]sandbox.Text{"connect2-api/dev/rds-credentials": sandbox.Text(
		`{"username":"postgres","password":"` + password + `","host":"` + host + `","port":5432,"database":"postgres"}`)}},
		map[string]string{host: "127.0.0.1:" + port})
	t.Setenv("PGSSLMODE", "disable") // Debian's server has no certificate of a new cluster
	get := func(name string) string {
		if name == "PGSSLMODE" {
			return "disable"
		}
		return getenv(name)
	}
	code, stdout, stderr := command(t, reach.Psql, get, "--bastion", bastionName, "--", "-Atc", "select 6 * 7, current_user")
	if code != 0 || stdout != "42|postgres\n" {
		t.Fatalf("ended with %d\n%s\n%s", code, stdout, stderr)
	}
	if strings.Contains(stdout+stderr, password) {
		t.Error("the password is shown")
	}
	if code, _, stderr := command(t, reach.Psql, get, "--bastion", bastionName, "--", "-v", "ON_ERROR_STOP=1", "-c",
		"select nonsense"); code != 1 {
		t.Errorf("psql's own code is 1, not %d\n%s", code, stderr)
	}
	file := filepath.Join(t.TempDir(), "copy")
	begun := time.Now()
	code, _, stderr = command(t, reach.Psql, get, "--bastion", bastionName, "--", "-c",
		`\copy (select repeat('x', 999) from generate_series(1, 200000)) to `+file)
	took := time.Since(begun)
	info, err := os.Stat(file)
	if code != 0 || err != nil || info.Size() != 200_000_000 {
		t.Fatalf("ended with %d, %v\n%s", code, err, stderr)
	}
	t.Logf("200 MB in %v: %.1f MB/s", took.Round(time.Millisecond), 200/took.Seconds())
}

// TestRedisThroughTheBastion opens a real redis-cli on a real Redis that wants a password.
func TestRedisThroughTheBastion(t *testing.T) {
	if os.Getenv("CONNECT2_DATABASE") == "" {
		t.Skip("it starts a Redis of Debian's packages: make database-e2e")
	}
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("there is no Redis: apt-get install redis-server")
	}
	const password = "s3cret-of-redis"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	listener.Close()
	server := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--requirepass", password, "--save", "", "--dir",
		t.TempDir())
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	const host = "redis.sandbox.internal"
	_, getenv := world(t, &sandbox.Scenario{Secrets: map[string]sandbox.Text{"connect2-api/dev/redis-credentials": sandbox.Text(
		`{"host":"` + host + `","port":6379,"password":"` + password + `"}`)}}, map[string]string{host: "127.0.0.1:" + port})
	for range 50 {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	code, stdout, stderr := command(t, reach.Redis, getenv, "--bastion", bastionName, "--", "--no-auth-warning", "ping")
	if code != 0 || strings.TrimSpace(stdout) != "PONG" || strings.Contains(stdout+stderr, password) {
		t.Errorf("ended with %d\n%s\n%s", code, stdout, stderr)
	}
}
