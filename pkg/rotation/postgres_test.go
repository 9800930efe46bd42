package rotation

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// startPostgres runs a PostgreSQL of its own, whose administrator is not a superuser, as on RDS. It skips the test where no
// server is installed.
func startPostgres(t *testing.T) (connect func(user, password string) (*pgx.Conn, error), port int, log func() string) {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		t.Skip("no PostgreSQL server is installed (Debian: postgresql)")
	}
	bin := filepath.Dir(found[len(found)-1])
	folder, err := os.MkdirTemp("", "rotation")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })

	// The server refuses to run as root.
	var attributes *syscall.SysProcAttr
	if os.Getuid() == 0 {
		account, err := user.Lookup("postgres")
		if err != nil {
			t.Skip("root cannot run a PostgreSQL server, and there is no user postgres")
		}
		uid, _ := strconv.Atoi(account.Uid)
		gid, _ := strconv.Atoi(account.Gid)
		attributes = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		if err := os.Chown(folder, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	command := func(name string, arguments ...string) *exec.Cmd {
		c := exec.Command(filepath.Join(bin, name), arguments...)
		c.SysProcAttr, c.Dir = attributes, folder
		return c
	}
	data := filepath.Join(folder, "data")
	if out, err := command("initdb", "-D", data, "-U", "rdsadmin",
		"--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = listener.Addr().(*net.TCPAddr).Port
	listener.Close()

	server := command("postgres", "-D", data, "-k", folder, "-h", "127.0.0.1", "-p", strconv.Itoa(port),
		"-c", "fsync=off", "-c", "log_statement=all")
	logFile, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	server.Stdout, server.Stderr = logFile, logFile
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGINT) // fast shutdown
		_ = server.Wait()
	})
	log = func() string {
		out, err := os.ReadFile(logFile.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}

	var admin *pgx.Conn
	for deadline := time.Now().Add(30 * time.Second); ; {
		admin, err = pgx.Connect(t.Context(), fmt.Sprintf("host=%s port=%d user=rdsadmin dbname=postgres", folder, port))
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server does not start: %v\n%s", err, log())
		}
		time.Sleep(50 * time.Millisecond)
	}
	defer admin.Close(context.WithoutCancel(t.Context()))
	for _, statement := range []string{
		"create role postgres with login createrole createdb password 'master'",
		"create database connect2 owner postgres",
	} {
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return func(user, password string) (*pgx.Conn, error) {
		conn, err := pgx.Connect(t.Context(), fmt.Sprintf("postgresql://%s:%s@127.0.0.1:%d/connect2?sslmode=disable", user, password, port))
		if err == nil {
			t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
		}
		return conn, err
	}, port, log
}

func TestRotationsOfARealDatabaseWhileTasksWork(t *testing.T) {
	connect, port, log := startPostgres(t)
	ctx := t.Context()
	do := func(conn *pgx.Conn, who, statement string) {
		t.Helper()
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatalf("%s: %s: %v", who, statement, err)
		}
	}

	// The application as it was born: working as the administrator.
	born, err := connect("postgres", "master")
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"create table items (id serial primary key, name text)",
		"create view names as select name from items",
		"create type mood as enum ('good', 'bad')",
		"create function one() returns int language sql as 'select 1'",
		`create schema "Odd name"`,
		`create table "Odd name"."T" (m mood)`,
		"create table alembic_version (version_num varchar(32) not null)",
	} {
		do(born, "administrator", statement)
	}

	v := newVault()
	v.values["rds"]["v1"] = strings.ReplaceAll(connection("postgres", "master"), "db.internal:5432", fmt.Sprintf("127.0.0.1:%d", port))
	v.values["rds"]["v1"] = strings.ReplaceAll(v.values["rds"]["v1"], `"host":"db.internal","port":5432`, fmt.Sprintf(`"host":"127.0.0.1","port":%d`, port))
	r := newRotator(v, nil, &fleet{running: true})
	r.Connect, r.SSLMode = ConnectPostgres, "disable"

	rotate(t, r, v.begin("v2"))
	a := now(t, v)
	do(born, "a task from before the first rotation", "insert into items (name) values ('old')")
	do(born, "a task from before the first rotation", "select one()")
	taskA, err := connect(a.Username, a.Password)
	if err != nil {
		t.Fatalf("a task that reads the new secret: %v", err)
	}
	do(taskA, "a", "insert into items (name) values ('a')")
	do(taskA, "a", "alter table items add column made_by_a text")
	do(taskA, "a", `alter table "Odd name"."T" add column n int`)
	do(taskA, "a", "create table from_a (id int)")

	rotate(t, r, v.begin("v3"))
	b := now(t, v)
	if a.Username == b.Username {
		t.Fatalf("both rotations gave %s", a.Username)
	}
	do(taskA, "a task that still works as a", "insert into items (name) values ('still a')")
	if _, err := connect(a.Username, a.Password); err != nil {
		t.Errorf("a running task cannot open another connection with the password that it has read: %v", err)
	}
	taskB, err := connect(b.Username, b.Password)
	if err != nil {
		t.Fatal(err)
	}
	do(taskB, "b", "alter table from_a add column by_b int")
	do(taskB, "b", "drop view names")

	rotate(t, r, v.begin("v4"))
	if _, err := connect(a.Username, a.Password); err == nil {
		t.Error("the password of two rotations ago still works")
	}
	if _, err := connect(b.Username, b.Password); err != nil {
		t.Errorf("the password of one rotation ago must work: %v", err)
	}

	for _, secret := range []string{a.Password, b.Password, now(t, v).Password} {
		if strings.Contains(log(), secret) {
			t.Error("the server's log, which has every statement, shows a password")
		}
	}
}

func TestAWrongMasterPasswordIsToldWithoutIt(t *testing.T) {
	_, port, _ := startPostgres(t)
	c := Credentials{Host: "127.0.0.1", Port: port, Database: "connect2"}.with("postgres", "guess-9c1f")
	_, err := (&Rotator{Connect: ConnectPostgres, SSLMode: "disable"}).connect(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "as postgres") {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(err.Error(), "guess-9c1f") {
		t.Error("the error shows the password")
	}
}
