//go:build e2e

// Needs a Docker engine, and as root Debian's PostgreSQL and Redis. PYTHON_IMAGE names the base image of the example, which is
// otherwise that of its Dockerfile.
package exampletest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	cluster  = "connect2-api-cluster-dev"
	service  = "connect2-api-service-dev"
	password = "canary-7f3a9" // of the database: it must be in no log
)

// stage is what all tests of this package stand on.
type stage struct {
	folder   string
	binary   string // connect2
	image    string // the example's production image, in Docker
	database string // URL
	cache    string // URL
	environ  []string
	sandbox  *exec.Cmd
	told     *bytes.Buffer // by the sandbox, on standard error
	images   string        // that sandboxes had given the engine before this one
}

// TestExample is one test because its parts share the image, which takes minutes to build.
func TestExample(t *testing.T) {
	s := &stage{folder: t.TempDir()}
	s.binary = filepath.Join(s.folder, "connect2")
	run(t, "go", "build", "-o", s.binary, "../../../cmd/connect2")
	s.startDatabase(t)
	s.startCache(t)
	s.buildImage(t)
	s.startSandbox(t)
	s.useTheModulesTemplate(t)

	if !t.Run("migrates", s.migrates) {
		t.FailNow() // the rest needs the table
	}
	t.Run("serves", s.serves)
	t.Run("a broken migration fails", s.fails)
	t.Run("a command that is not there", s.commandMissing)
	t.Run("out of memory", s.outOfMemory)
	t.Run("cancel stops the container", s.cancel)
	t.Run("releases", s.releases)
	t.Run("leaves nothing behind", s.leavesNothing)
}

// migrates: push the image, run its migrations with the secret of the sandbox, see the tables.
func (s *stage) migrates(t *testing.T) {
	s.push(t, s.image, "r1")
	r := s.connect2(t, "migrate", "--cluster", cluster, "--service", service, "--image", "r1")
	r.want(t, 0, "succeeded")
	if fmt.Sprint(r.out["exit-code"]) != "0" {
		t.Errorf("the exit code is %v", r.out["exit-code"])
	}
	for _, line := range []string{"Context impl PostgresqlImpl.", "Running upgrade  -> 0001, Create the table contacts"} {
		if !strings.Contains(r.log, line) {
			t.Errorf("the log has no %q:\n%s", line, r.log)
		}
	}
	if got := s.query(t,
		"SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'"); got != "alembic_version contacts" {
		t.Errorf("the tables are %q", got)
	}
	again := s.connect2(t, "migrate", "--cluster", cluster, "--service", service, "--image", "r1")
	again.want(t, 0, "succeeded")
	if strings.Contains(again.log, "Running upgrade") {
		t.Errorf("the second run migrates again:\n%s", again.log)
	}
}

// serves: the production image on a read-only root, as nobody special, healthy by its own check, with both stores.
func (s *stage) serves(t *testing.T) {
	port := freePort(t)
	name := "connect2-example-" + port
	cleanup(t, "docker", "rm", "--force", name)
	run(t, "docker", "run", "--detach", "--name", name, "--network", "host", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL",
		"--env", "DATABASE_URL="+s.database, "--env", "REDIS_URL="+s.cache,
		"--health-cmd", `python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:`+port+`/health', timeout=4)"`,
		"--health-interval", "1s", s.image, "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", port)
	eventually(t, "healthy", func() string {
		return run(t, "docker", "inspect", "--format", "{{.State.Health.Status}}", name)
	})
	if user := run(t, "docker", "exec", name, "id", "-u"); user == "0" {
		t.Error("it runs as root")
	}
	base := "http://127.0.0.1:" + port
	if got := ask(t, "GET", base+"/health", ""); !strings.Contains(got, `"database":"ok"`) || !strings.Contains(got, `"redis":"ok"`) {
		t.Errorf("health: %s", got)
	}
	made := ask(t, "POST", base+"/contacts", `{"name": "Ada", "email": "ada@example.org"}`)
	var contact struct{ ID int }
	if err := json.Unmarshal([]byte(made), &contact); err != nil || contact.ID == 0 {
		t.Fatalf("a contact was answered with %s", made)
	}
	if got := ask(t, "GET", fmt.Sprint(base, "/contacts/", contact.ID), ""); !strings.Contains(got, "ada@example.org") {
		t.Errorf("the contact is %s", got)
	}
	if n := s.query(t, "SELECT count(*) FROM contacts"); n != "1" {
		t.Errorf("%s contacts in the database", n)
	}
}

// fails: a migration that PostgreSQL refuses. The tail of its log is told, and its transaction leaves nothing.
func (s *stage) fails(t *testing.T) {
	s.push(t, s.withMigration(t, "broken", `op.create_table("half", sa.Column("id", sa.Integer()))
    op.execute("ALTER TABLE nowhere ADD COLUMN x integer")`), "broken")
	r := s.connect2(t, "migrate", "--cluster", cluster, "--service", service, "--image", "broken")
	r.want(t, 2, "failed")
	if fmt.Sprint(r.out["exit-code"]) != "1" {
		t.Errorf("the exit code is %v", r.out["exit-code"])
	}
	if !strings.Contains(r.log, `relation "nowhere" does not exist`) {
		t.Errorf("the log does not say why:\n%s", r.log)
	}
	if got := s.query(t, "SELECT count(*) FROM pg_tables WHERE tablename = 'half'"); got != "0" {
		t.Error("half of the migration stays")
	}
}

// commandMissing: under an init process, as the module has it, it is that which does not find the command.
func (s *stage) commandMissing(t *testing.T) {
	r := s.connect2(t, "migrate", "--cluster", cluster, "--service", service, "--image", "r1", "--command", "alambic upgrade head")
	r.want(t, 2, "failed")
	if fmt.Sprint(r.out["exit-code"]) != "127" || !strings.Contains(r.log, "exec alambic failed: No such file or directory") {
		t.Errorf("the log does not say why:\n%s", r.log)
	}
}

// outOfMemory: the task has 512 MiB.
func (s *stage) outOfMemory(t *testing.T) {
	r := s.connect2(t, "migrate", "--cluster", cluster, "--service", service, "--image", "r1", "--command", `["python", "-c", "x = b'1' * (1 << 30)"]`)
	r.want(t, 2, "failed")
	if fmt.Sprint(r.out["exit-code"]) != "137" || r.out["cause"] != "out-of-memory" {
		t.Errorf("exit code %v, cause %v:\n%s", r.out["exit-code"], r.out["cause"], r.log)
	}
}

// cancel: as the runner cancels a job, while the database sleeps in a migration.
func (s *stage) cancel(t *testing.T) {
	s.push(t, s.withMigration(t, "slow", `op.execute("SELECT pg_sleep(600)")`), "slow")
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	go func() {
		const sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"
		for range 600 {
			if out, err := s.psql(sleeping).Output(); err == nil && strings.TrimSpace(string(out)) != "0" {
				interrupt()
				return
			}
			wait(100 * time.Millisecond)
		}
	}()
	began := time.Now()
	r := s.connect2In(ctx, t, "migrate", "--cluster", cluster, "--service", service, "--image", "slow")
	r.want(t, 130, "cancelled")
	if took := time.Since(began); took > 2*time.Minute {
		t.Errorf("it took %v", took)
	}
	eventually(t, "", func() string { return run(t, "docker", "ps", "--quiet", "--filter", "label=connect2.sandbox") })
	if got := s.query(t, "SELECT version_num FROM alembic_version"); got != "0001" {
		t.Errorf("the schema is at %s", got)
	}
}

// releases: the root action, with a migration that adds a table, up to the service that runs the image.
func (s *stage) releases(t *testing.T) {
	archive := s.save(t, s.withMigration(t, "next", `op.create_table("notes", sa.Column("id", sa.Integer(), primary_key=True))`))
	r := s.connect2(t, "release", "--source", archive, "--repository", "connect2-api-dev", "--tags", "r2",
		"--cluster", cluster, "--service", service, "--migrate")
	r.want(t, 0, "succeeded")
	if !strings.Contains(r.log, "Running upgrade 0001 -> 0002") {
		t.Errorf("the log has no migration:\n%s", r.log)
	}
	if got := s.query(t, "SELECT version_num FROM alembic_version"); got != "0002" {
		t.Errorf("the schema is at %s", got)
	}
	client := s.ecs()
	found, err := client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String(cluster), Services: []string{service}})
	if err != nil {
		t.Fatal(err)
	}
	running, err := client.DescribeTaskDefinition(t.Context(),
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: found.Services[0].TaskDefinition})
	if err != nil {
		t.Fatal(err)
	}
	digest := fmt.Sprint(r.out["digest"])
	if image := aws.ToString(running.TaskDefinition.ContainerDefinitions[0].Image); digest == "" || !strings.HasSuffix(image, "@"+digest) {
		t.Errorf("the service runs %s, pushed was %s", image, digest)
	}
}

// leavesNothing: the sandbox takes its containers and images along.
func (s *stage) leavesNothing(t *testing.T) {
	if err := s.sandbox.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.sandbox.Wait(); err != nil {
		t.Errorf("the sandbox ended with %v: %s", err, s.told)
	}
	if left := run(t, "docker", "ps", "--all", "--quiet", "--filter", "label=connect2.sandbox"); left != "" {
		t.Errorf("containers are left: %s", left)
	}
	if left := handedOver(t); left != s.images {
		t.Errorf("images are left: %q, before it there were %q", left, s.images)
	}
}

// handedOver lists the images that sandboxes gave the engine; one that was killed leaves its own behind.
func handedOver(t *testing.T) string {
	return run(t, "docker", "images", "--filter", "reference=connect2-sandbox-*", "--format", "{{.Repository}}:{{.Tag}}")
}

// buildImage builds the example's production stage. A base that was imported may have a root folder that only root may
// enter: then nobody else can run anything in it, and it is imported anew.
func (s *stage) buildImage(t *testing.T) {
	base := cmp.Or(os.Getenv("PYTHON_IMAGE"), "python:3.12-slim")
	if exec.Command("docker", "run", "--rm", "--user", "65534", base, "true").Run() != nil {
		base = s.opened(t, base)
	}
	s.image = s.named(t, "api")
	run(t, "docker", "build", "--quiet", "--file", "../../../examples/api/docker/Dockerfile", "--target", "production",
		"--build-arg", "PYTHON_IMAGE="+base, "--tag", s.image, "../../../examples/api")
}

func (s *stage) opened(t *testing.T, base string) string {
	container := run(t, "docker", "create", base, "true")
	cleanup(t, "docker", "rm", container)
	archive := filepath.Join(s.folder, "base.tar")
	run(t, "docker", "export", "--output", archive, container)
	arguments := []string{"import"}
	var environ []string
	if err := json.Unmarshal([]byte(run(t, "docker", "inspect", "--format", "{{json .Config.Env}}", base)), &environ); err != nil {
		t.Fatal(err)
	}
	for _, variable := range environ {
		arguments = append(arguments, "--change", "ENV "+variable)
	}
	name := s.named(t, "base")
	run(t, "docker", append(arguments, archive, name)...)
	return name
}

// withMigration is the example's image with one more migration.
func (s *stage) withMigration(t *testing.T, name, upgrade string) string {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "0002_"+name+".py"), `"""`+name+`"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    `+upgrade+`
`)
	write(t, filepath.Join(folder, "Dockerfile"), "FROM "+s.image+"\nCOPY 0002_"+name+".py /app/migrations/versions/\n")
	image := s.named(t, name)
	run(t, "docker", "build", "--quiet", "--tag", image, folder)
	return image
}

// named is a name of this run's own, whose image is removed at the end.
func (s *stage) named(t *testing.T, what string) string {
	name := fmt.Sprintf("connect2-example-%s:%d", what, os.Getpid())
	cleanup(t, "docker", "rmi", "--force", name)
	return name
}

func (s *stage) save(t *testing.T, image string) string {
	archive := filepath.Join(t.TempDir(), "image.tar")
	run(t, "docker", "save", "--output", archive, image)
	return archive
}

func (s *stage) push(t *testing.T, image, tag string) {
	t.Helper()
	s.connect2(t, "ecr-push", "--source", s.save(t, image), "--repository", "connect2-api-dev", "--tags", tag).want(t, 0, "succeeded")
}

// startDatabase runs PostgreSQL with a password, so that a migration which does not get its secret fails.
func (s *stage) startDatabase(t *testing.T) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 || os.Getuid() != 0 {
		t.Fatal("PostgreSQL is not to be had: this test needs Debian's package postgresql, and root")
	}
	bin, port := found[len(found)-1], freePort(t)
	folder, err := os.MkdirTemp("", "connect2-postgres-") // the user postgres must be able to enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	write(t, filepath.Join(folder, "password"), password)
	run(t, "chown", "--recursive", "postgres", folder)
	data := filepath.Join(folder, "data")
	run(t, "su", "postgres", "-c", fmt.Sprintf("%s/initdb -A scram-sha-256 -U postgres --pwfile %s/password -D %s", bin, folder, data))
	cleanup(t, "su", "postgres", "-c", fmt.Sprintf("%s/pg_ctl -D %s -m immediate stop", bin, data))
	// Without the check the server goes on with the statement of a container that was stopped, and holds its lock.
	run(t, "su", "postgres", "-c", fmt.Sprintf("%s/pg_ctl -D %s -l %s/log -o '-h 127.0.0.1 -p %s -k %s -c "+
		"client_connection_check_interval=1s' -w start", bin, data, folder, port, folder))
	s.database = fmt.Sprintf("postgresql://postgres:%s@127.0.0.1:%s/postgres", password, port)
}

func (s *stage) startCache(t *testing.T) {
	port := freePort(t)
	redis := exec.CommandContext(t.Context(), "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "")
	redis.Dir = s.folder
	if err := redis.Start(); err != nil {
		t.Fatalf("Redis is not to be had: %v; this test needs Debian's package redis-server", err)
	}
	t.Cleanup(func() { _ = redis.Wait() }) // the test's context has killed it by then
	s.cache = "redis://127.0.0.1:" + port + "/0"
}

// startSandbox runs the command with the database's URL in its Secrets Manager, and takes its lines as an environment.
func (s *stage) startSandbox(t *testing.T) {
	s.images = handedOver(t)
	scenario := filepath.Join(s.folder, "scenario.yaml")
	write(t, scenario,
		fmt.Sprintf("secrets:\n  connect2-api/dev/rds-credentials: {url: %q}\n  connect2-api/dev/redis-credentials: {url: %q}\n",
			s.database, s.cache))
	s.sandbox = exec.Command(s.binary, // not of the test's context: killed, it could not clean up
		"sandbox", "--listen", "127.0.0.1:0", "--speed", "20", "--scenario", scenario, "--run-tasks", "docker")
	s.told = &bytes.Buffer{}
	s.sandbox.Stderr = s.told
	out, err := s.sandbox.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.sandbox.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.sandbox.ProcessState == nil { // a test before the last one has given up
			_ = s.sandbox.Process.Signal(syscall.SIGTERM)
			_ = s.sandbox.Wait()
		}
	})
	s.environ = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.folder, "TMPDIR=" + s.folder}
	var lines []byte
	for buffer := make([]byte, 4096); !bytes.Contains(lines, []byte("unset ")); {
		n, err := out.Read(buffer)
		if err != nil {
			t.Fatalf("the sandbox did not start: %v %s", err, s.told)
		}
		lines = append(lines, buffer[:n]...)
	}
	for line := range strings.Lines(string(lines)) {
		if variable, ok := strings.CutPrefix(strings.TrimSpace(line), "export "); ok {
			s.environ = append(s.environ, variable)
		}
	}
}

func (s *stage) ecs() *ecs.Client {
	value := func(name string) string {
		i := slices.IndexFunc(s.environ, func(v string) bool { return strings.HasPrefix(v, name+"=") })
		return strings.TrimPrefix(s.environ[i], name+"=")
	}
	return ecs.New(ecs.Options{
		Region: value("AWS_REGION"), BaseEndpoint: aws.String(value("AWS_ENDPOINT_URL")),
		Credentials: credentials.NewStaticCredentialsProvider(value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"), ""),
	})
}

// useTheModulesTemplate makes the template what the Terraform module ecs-service makes: no privileges, a root that cannot be
// written to, and a tmpfs.
func (s *stage) useTheModulesTemplate(t *testing.T) {
	client := s.ecs()
	found, err := client.DescribeTaskDefinition(t.Context(),
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("connect2-api-dev-template")})
	if err != nil {
		t.Fatal(err)
	}
	d := found.TaskDefinition
	c := &d.ContainerDefinitions[0]
	c.User, c.ReadonlyRootFilesystem, c.StopTimeout = aws.String("10001"), aws.Bool(true), aws.Int32(5)
	c.LinuxParameters = &types.LinuxParameters{
		InitProcessEnabled: aws.Bool(true), Capabilities: &types.KernelCapabilities{Drop: []string{"ALL"}},
		Tmpfs: []types.Tmpfs{{ContainerPath: aws.String("/tmp"), Size: 64,
			MountOptions: []string{"rw", "noexec", "nosuid", "nodev", "mode=1777"}}},
	}
	_, err = client.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: d.Family, Cpu: d.Cpu, Memory: d.Memory, NetworkMode: d.NetworkMode, RequiresCompatibilities: d.RequiresCompatibilities,
		ExecutionRoleArn: d.ExecutionRoleArn, TaskRoleArn: d.TaskRoleArn, ContainerDefinitions: d.ContainerDefinitions,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// result is what one of our commands left.
type result struct {
	code int
	out  map[string]any
	log  string
}

func (s *stage) connect2(t *testing.T, args ...string) result {
	t.Helper()
	return s.connect2In(t.Context(), t, args...)
}

// connect2In sends SIGINT, as the runner does, when the context ends.
func (s *stage) connect2In(ctx context.Context, t *testing.T, args ...string) result {
	t.Helper()
	var out, log bytes.Buffer
	cmd := exec.CommandContext(ctx, s.binary, append(args, "--json")...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.environ, &out, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	r := result{code: cmd.ProcessState.ExitCode(), log: log.String(), out: map[string]any{}}
	if err := json.Unmarshal(out.Bytes(), &r.out); err != nil {
		t.Errorf("the outputs of %s are %q: %v\n%s", args[0], &out, err, &log)
	}
	if strings.Contains(out.String()+log.String(), password) {
		t.Errorf("%s shows the password:\n%s", args[0], &log)
	}
	return r
}

func (r result) want(t *testing.T, code int, outcome string) {
	t.Helper()
	if r.code != code || r.out["outcome"] != outcome {
		t.Errorf("exit %d, outcome %v; want %d and %s:\n%s", r.code, r.out["outcome"], code, outcome, r.log)
	}
}

func (s *stage) psql(statement string) *exec.Cmd {
	return exec.Command("psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command", statement, s.database)
}

func (s *stage) query(t *testing.T, statement string) string {
	t.Helper()
	out, err := s.psql(statement).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v %s", statement, err, out)
	}
	return strings.TrimSpace(string(out))
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = ".", append(os.Environ(), "DOCKER_CLI_HINTS=false")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &problems)
	}
	return strings.TrimSpace(string(out))
}

// cleanup runs a command at the test's end. It may find nothing to do.
func cleanup(t *testing.T, name string, args ...string) {
	t.Cleanup(func() { _ = exec.Command(name, args...).Run() })
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// eventually waits for an answer of something outside of this process, a minute at most.
func eventually(t *testing.T, want string, ask func() string) {
	t.Helper()
	got := ""
	for range 300 {
		if got = ask(); got == want {
			return
		}
		wait(200 * time.Millisecond)
	}
	t.Fatalf("after a minute it is %q, not %q", got, want)
}

func wait(d time.Duration) { <-time.After(d) }

func ask(t *testing.T, method, address, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 400 {
		t.Fatalf("%s %s: %s %s %v", method, address, res.Status, text, err)
	}
	return string(text)
}
