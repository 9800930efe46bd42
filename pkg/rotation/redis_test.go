package rotation

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisGroup is ElastiCache's part in front of a real server: at most two tokens, the newest and the one before it.
type redisGroup struct {
	t        *testing.T
	socket   string
	tokens   []string // oldest first
	busy     int      // so many changes are refused
	fail     int      // the change that fails, once, counted from 1
	failLate bool     // after it was made
	changes  int
}

func (g *redisGroup) Available(context.Context) (bool, error) { return true, nil }

func (g *redisGroup) AddToken(_ context.Context, token string) error {
	if g.busy > 0 {
		g.busy--
		return ErrCacheBusy
	}
	failing := g.fail == g.changes+1
	if failing {
		g.fail = 0
		if !g.failLate {
			return errors.New("cut off")
		}
	}
	g.changes++
	g.apply(rotated(g.tokens, token))
	if failing {
		return errors.New("cut off")
	}
	return nil
}

// rotated is what ROTATE makes of a group's tokens, oldest first: the newest of the others and the one that is added.
func rotated(tokens []string, token string) []string {
	others := slices.DeleteFunc(slices.Clone(tokens), func(t string) bool { return t == token })
	return append(others[max(0, len(others)-1):], token)
}

// apply tells the server, over a connection that the old tokens open.
func (g *redisGroup) apply(tokens []string) {
	g.t.Helper()
	o := &redis.Options{Network: "unix", Addr: g.socket, Protocol: 2, DisableIdentity: true}
	if len(g.tokens) > 0 {
		o.Password = g.tokens[len(g.tokens)-1]
	}
	client := redis.NewClient(o)
	defer client.Close()
	words := []any{"ACL", "SETUSER", "default", "on", "resetpass"}
	for _, token := range tokens {
		words = append(words, ">"+token)
	}
	if err := client.Do(g.t.Context(), words...).Err(); err != nil {
		g.t.Fatalf("ACL SETUSER: %v", err)
	}
	g.tokens = tokens
}

// startRedis runs a server of its own with TLS. It skips the test where none is installed.
func startRedis(t *testing.T) (group *redisGroup, port int, trust *tls.Config) {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("no Redis server is installed (Debian: redis-server)")
	}
	folder, err := os.MkdirTemp("", "redis")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })

	// The certificate that net/http's test server has is for 127.0.0.1.
	web := httptest.NewTLSServer(nil)
	web.Close()
	certificate := web.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert": {Type: "CERTIFICATE", Bytes: certificate.Certificate[0]},
		"key":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AddCert(web.Certificate())

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	group = &redisGroup{t: t, socket: filepath.Join(folder, "socket")}
	server := exec.Command(binary, "--port", "0", "--tls-port", strconv.Itoa(port), "--bind", "127.0.0.1", "--unixsocket", group.socket,
		"--tls-cert-file", filepath.Join(folder, "cert"), "--tls-key-file", filepath.Join(folder, "key"), "--tls-auth-clients", "no",
		"--save", "", "--dir", folder)
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	said := bufio.NewScanner(out)
	for ready := false; !ready; {
		if !said.Scan() {
			t.Fatal("redis-server ended before it was ready")
		}
		ready = strings.Contains(said.Text(), "connections at "+group.socket) || strings.Contains(said.Text(), "connections at unix")
	}
	go func() {
		for said.Scan() {
		}
	}()
	group.apply([]string{"the-first-token-of-all"})
	return group, port, &tls.Config{RootCAs: pool}
}

type cacheWorld struct {
	*RedisRotator
	vault *vault
	group *redisGroup
	tasks *quietService
	said  strings.Builder
}

type quietService struct{ started int }

func (*quietService) State(context.Context) (running, deploying bool, err error) {
	return true, false, nil
}
func (s *quietService) Redeploy(context.Context) error { s.started++; return nil }

func redisValue(port int, token string) string {
	out, _ := json.Marshal(RedisCredentials{
		URL: fmt.Sprintf("rediss://:%s@127.0.0.1:%d", token, port), Host: "127.0.0.1", Port: port, Password: token,
	})
	return string(out)
}

func newCacheWorld(t *testing.T) *cacheWorld {
	group, port, trust := startRedis(t)
	w := &cacheWorld{vault: newVault(), group: group, tasks: &quietService{}}
	w.vault.values["rds"]["v1"] = redisValue(port, group.tokens[0])
	w.RedisRotator = &RedisRotator{
		Rotator: Rotator{Secrets: w.vault, Service: w.tasks, Poll: time.Millisecond,
			Logf: func(format string, args ...any) { fmt.Fprintf(&w.said, format+"\n", args...) }},
		Cache: group,
		Login: func(ctx context.Context, url string) error { return LoginRedis(ctx, url, trust) },
	}
	return w
}

// rotate repeats a step that fails, as Secrets Manager does, and does every step twice.
func (w *cacheWorld) rotate(t *testing.T, token string) (failures int) {
	t.Helper()
	event := w.vault.begin(token)
	for _, step := range []string{"createSecret", "setSecret", "testSecret", "finishSecret"} {
		event.Step = step
		for done := 0; done < 2; {
			if err := w.Handle(t.Context(), event); err != nil {
				if failures++; failures > 3 {
					t.Fatal(err)
				}
				continue
			}
			done++
		}
	}
	return failures
}

func (w *cacheWorld) url(t *testing.T, version string) string {
	t.Helper()
	var c RedisCredentials
	if err := json.Unmarshal([]byte(w.vault.values["rds"][version]), &c); err != nil {
		t.Fatal(err)
	}
	return c.URL
}

func (w *cacheWorld) expect(t *testing.T, version string, want error) {
	t.Helper()
	if err := w.Login(t.Context(), w.url(t, version)); !errors.Is(err, want) {
		t.Errorf("login with version %s: %v, want %v", version, err, want)
	}
}

func TestRedisTokenOfRunningTasksWorksUntilTheNextRotation(t *testing.T) {
	w := newCacheWorld(t)
	w.group.busy = 2
	w.rotate(t, "v2")
	w.expect(t, "v1", nil)
	w.expect(t, "v2", nil)
	w.rotate(t, "v3")
	w.expect(t, "v1", ErrWrongToken)
	w.expect(t, "v2", nil)
	w.expect(t, "v3", nil)
	if w.tasks.started == 0 {
		t.Error("no deployment was started")
	}
	for _, token := range w.group.tokens {
		if strings.Contains(w.said.String(), token) {
			t.Errorf("the log has a token:\n%s", w.said.String())
		}
	}
}

func TestRedisRotationThatIsCutOffGoesOn(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late=%v", late), func(t *testing.T) {
			w := newCacheWorld(t)
			w.group.fail, w.group.failLate = 1, late
			if failures := w.rotate(t, "v2"); failures != 1 {
				t.Errorf("%d failures, want the one", failures)
			}
			w.expect(t, "v1", nil)
			w.expect(t, "v2", nil)
			if w.group.changes != 1 {
				t.Errorf("%d changes of the group, want one", w.group.changes)
			}
		})
	}
}

func TestRedisRotationAfterOneThatWasTakenBackKeepsTheTokenInUse(t *testing.T) {
	for _, cut := range []int{0, 2, 3} { // the changes after the first rotation's
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("cut=%d/late=%v", cut, late), func(t *testing.T) {
				w := newCacheWorld(t)
				w.rotate(t, "v2")
				// The operator makes the previous version current again: the token in use is now the older of the two.
				w.vault.labels["rds"]["v1"], w.vault.labels["rds"]["v2"] = []string{current}, []string{previous}
				login := w.Login
				w.Login = func(ctx context.Context, url string) error {
					err := login(ctx, url)
					if url == w.url(t, "v1") && err != nil {
						t.Errorf("the token in use was refused: %v", err)
					}
					return err
				}
				w.group.fail, w.group.failLate = cut, late
				w.rotate(t, "v3")
				w.Login = login
				w.expect(t, "v1", nil)
				w.expect(t, "v2", ErrWrongToken)
				w.expect(t, "v3", nil)
				w.rotate(t, "v4")
				w.expect(t, "v1", ErrWrongToken)
				w.expect(t, "v3", nil)
				w.expect(t, "v4", nil)
			})
		}
	}
}

func TestRedisRotationAfterOneThatWasThrownAwayKeepsTheTokenInUse(t *testing.T) {
	for _, cut := range []int{0, 1, 2} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("cut=%d/late=%v", cut, late), func(t *testing.T) {
				w := newCacheWorld(t)
				w.group.apply([]string{w.group.tokens[0], "a-pending-token-without-a-version"})
				w.group.fail, w.group.failLate = cut, late
				w.rotate(t, "v2")
				w.expect(t, "v1", nil)
				w.expect(t, "v2", nil)
				w.rotate(t, "v3")
				w.expect(t, "v1", ErrWrongToken)
				w.expect(t, "v2", nil)
				w.expect(t, "v3", nil)
			})
		}
	}
}

func TestRedisTokenChangedByHandIsLeftAlone(t *testing.T) {
	w := newCacheWorld(t)
	w.group.apply([]string{"somebody-changed-it"})
	event := w.vault.begin("v2")
	event.Step = "createSecret"
	if err := w.Handle(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	event.Step = "setSecret"
	if err := w.Handle(t.Context(), event); !errors.Is(err, ErrWrongToken) || w.group.changes != 0 {
		t.Errorf("%v after %d changes; want a refusal and no change", err, w.group.changes)
	}
}

func TestRedisPendingVersionForAnotherHostIsRefused(t *testing.T) {
	v := newVault()
	v.values["rds"] = map[string]string{
		"v1": redisValue(6379, "current-token"),
		"v2": strings.ReplaceAll(redisValue(6379, "pending-token"), "127.0.0.1", "evil.example"),
	}
	r := RedisRotator{Rotator: Rotator{Secrets: v}, Login: func(context.Context, string) error {
		t.Error("a token was sent")
		return nil
	}}
	event := v.begin("v2")
	for _, event.Step = range []string{"setSecret", "testSecret"} {
		if err := r.Handle(t.Context(), event); err == nil || !strings.Contains(err.Error(), "another server") {
			t.Errorf("%s: %v", event.Step, err)
		}
	}
}

type alwaysChanging struct{ Cache }

func (alwaysChanging) Available(context.Context) (bool, error) { return false, nil }

func TestRedisGroupThatKeepsChangingEndsWithTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
		defer cancel()
		r := RedisRotator{Cache: alwaysChanging{}}
		if err := r.wait(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the current token works") {
			t.Error(err)
		}
	})
}

// tlsServer answers each command with the next of the lines, over TLS, and keeps the commands' words.
func tlsServer(t *testing.T, lines ...string) (address string, trust *tls.Config, said func() [][]string) {
	t.Helper()
	web := httptest.NewTLSServer(nil)
	t.Cleanup(web.Close)
	pool := x509.NewCertPool()
	pool.AddCert(web.Certificate())
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: web.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	var words [][]string
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		for {
			command, err := readCommand(in)
			if err != nil {
				return
			}
			words = append(words, command)
			answer := "-ERR unknown command '" + command[0] + "'"
			if command[0] != "HELLO" && len(lines) > 0 {
				answer, lines = lines[0], lines[1:]
			}
			if _, err := io.WriteString(conn, answer+"\r\n"); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { listener.Close() })
	said = func() [][]string {
		listener.Close()
		<-done
		return words
	}
	return listener.Addr().String(), &tls.Config{RootCAs: pool}, said
}

// readCommand reads an array of strings in Redis's protocol.
func readCommand(in *bufio.Reader) ([]string, error) {
	var n int
	if _, err := fmt.Fscanf(in, "*%d\r\n", &n); err != nil {
		return nil, err
	}
	words := make([]string, n)
	for i := range words {
		var size int
		if _, err := fmt.Fscanf(in, "$%d\r\n", &size); err != nil {
			return nil, err
		}
		text := make([]byte, size+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return nil, err
		}
		words[i] = string(text[:size])
	}
	words[0] = strings.ToUpper(words[0])
	return words, nil
}

func TestLoginRedisReadsTheServersWords(t *testing.T) {
	const token = "the-token-itself"
	for name, test := range map[string]struct {
		lines []string
		want  string // in the error; empty for a login
		wrong bool   // the error is ErrWrongToken
		sent  []string
	}{
		"in": {[]string{"+OK", "+PONG"}, "", false, []string{"AUTH", "PING"}},
		"wrong token": {[]string{"-WRONGPASS invalid username-password pair or user is disabled."},
			"refuses", true, []string{"AUTH"}},
		"wrong token, before version 6": {[]string{"-ERR invalid password"}, "refuses", true, []string{"AUTH"}},
		"another refusal":               {[]string{"-ERR max number of clients reached"}, "max number of clients", false, []string{"AUTH"}},
		"loading after the login": {[]string{"+OK", "-LOADING Redis is loading the dataset in memory"},
			"PING: LOADING", false, []string{"AUTH", "PING"}},
		"a refusal that quotes": {[]string{"-ERR unknown command 'AUTH', with args beginning with: '" + token + "'"},
			"AUTH failed", false, []string{"AUTH"}},
	} {
		t.Run(name, func(t *testing.T) {
			address, trust, said := tlsServer(t, test.lines...)
			err := LoginRedis(t.Context(), "rediss://:"+token+"@"+address, trust)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) ||
				errors.Is(err, ErrWrongToken) != test.wrong {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), token) {
				t.Errorf("the error has the token: %v", err)
			}
			var sent []string
			for _, command := range said() {
				if command[0] == "AUTH" && !slices.Equal(command, []string{"AUTH", token}) {
					t.Errorf("sent %q", command)
				}
				if command[0] != "HELLO" {
					sent = append(sent, command[0])
				} else if slices.Contains(command, token) {
					t.Errorf("the token was sent with the greeting too: %q", command)
				}
			}
			if !slices.Equal(sent, test.sent) {
				t.Errorf("sent %q, want %q", sent, test.sent)
			}
		})
	}
}

func TestLoginRedisTrustsNoUnknownCertificate(t *testing.T) {
	address, _, said := tlsServer(t, "+OK", "+PONG")
	err := LoginRedis(t.Context(), "rediss://:the-token-itself@"+address, &tls.Config{RootCAs: x509.NewCertPool()})
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok || strings.Contains(err.Error(), "the-token-itself") {
		t.Errorf("got %v (%v)", err, unknown)
	}
	if words := said(); len(words) > 0 {
		t.Errorf("it was spoken to: %q", words)
	}
}

func TestLoginRedisEndsWithTheContext(t *testing.T) {
	address, trust, _ := tlsServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := LoginRedis(ctx, "rediss://:the-token-itself@"+address, trust); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := LoginRedis(t.Context(), "rediss://:the-token itself@%zz", trust); err == nil || strings.Contains(err.Error(), "token") {
		t.Errorf("a url that cannot be read: %v", err)
	}
}
