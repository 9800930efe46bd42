package sessions_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/sessions"
	"github.com/org/connect2/v2/pkg/session"
)

// serve starts a service, and returns what starts a session of it.
func serve(t testing.TB) (*sessions.Service, func(id string, kind sessions.Kind) session.Start) {
	var n atomic.Int64
	service := sessions.New(func() string { return fmt.Sprintf("token-%d", n.Add(1)) })
	server := httptest.NewServer(service)
	t.Cleanup(func() { service.Close(); server.Close() })
	return service, func(id string, kind sessions.Kind) session.Start {
		return session.Start{ID: id, URL: "ws" + strings.TrimPrefix(server.URL, "http") + sessions.Path + id, Token: service.Create(id, kind)}
	}
}

func open(t testing.TB, start session.Start, o session.Options) *session.Session {
	t.Helper()
	s, err := session.Open(t.Context(), start, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// output reads a session to its end.
func output(t *testing.T, s *session.Session) string {
	t.Helper()
	var all bytes.Buffer
	for {
		m, err := s.Next(t.Context())
		if errors.Is(err, session.ErrEnded) {
			return all.String()
		}
		if err != nil {
			t.Fatalf("after %q: %v", all.String(), err)
		}
		if m.Kind == session.Output {
			all.Write(m.Payload)
		}
	}
}

func TestCommandRunsInATerminal(t *testing.T) {
	_, start := serve(t)
	for _, test := range []struct {
		name string
		kind sessions.Kind
		want string
	}{
		{"a container's command is split and run without a shell", sessions.Kind{Command: "printf '%s|' 'a b' && c"}, "a b|&&|c|"},
		{"an instance's is a shell's", sessions.Kind{Command: "printf a && printf b", Shell: true}, "ab"},
		{"it has the environment", sessions.Kind{Command: `sh -c 'printf "$A $TERM"'`, Environment: map[string]string{"A": "x"}},
			"x xterm-256color"},
		{"it is a terminal", sessions.Kind{Command: "sh -c 'test -t 0 && test -t 1 && echo yes'"}, "yes\r\n"},
		{"what is not there", sessions.Kind{Command: "no-such-program"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, start(strings.ReplaceAll(test.name, " ", "-"), test.kind), session.Options{})
			if s.Kind != session.TypeInteractive || s.AgentVersion != sessions.AgentVersion {
				t.Errorf("kind %q, agent %q", s.Kind, s.AgentVersion)
			}
			if got := output(t, s); got != test.want {
				t.Errorf("output %q, want %q", got, test.want)
			}
			if test.want == "" && !strings.Contains(s.Err().Error(), "unable to start command") {
				t.Errorf("ended with %v", s.Err())
			}
		})
	}
}

func TestTerminalTakesInputAndSize(t *testing.T) {
	_, start := serve(t)
	s := open(t, start("size", sessions.Kind{Command: "sh"}), session.Options{})
	if err := s.Resize(123, 45); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte("stty -echo; stty size; exit\n")); err != nil {
		t.Fatal(err)
	}
	if got := output(t, s); !strings.Contains(got, "45 123") {
		t.Errorf("output %q has no size", got)
	}
}

// TestTokenOpensOneConnection holds that neither a wrong token nor a used one opens a session.
func TestTokenOpensOneConnection(t *testing.T) {
	service, start := serve(t)
	first := start("once", sessions.Kind{Command: "cat"})
	for _, token := range []string{"wrong", ""} {
		if _, err := session.Open(t.Context(), session.Start{ID: "once", URL: first.URL, Token: token}, session.Options{}); err == nil {
			t.Errorf("the token %q opened the session", token)
		}
	}
	open(t, first, session.Options{})
	if _, err := session.Open(t.Context(), first, session.Options{}); err == nil {
		t.Error("a used token opened the session")
	}
	if _, ok := service.Resume("another"); ok {
		t.Error("a session that never was can be resumed")
	}
}

// TestSessionOutlivesItsConnection cuts the connection again and again while a process counts: nothing is lost, nothing comes twice.
func TestSessionOutlivesItsConnection(t *testing.T) {
	service, start := serve(t)
	var resumed atomic.Int64
	s := open(t, start("cut", sessions.Kind{Command: "sh -c 'stty -echo; for i in $(seq 3000); do echo $i; done; read last; echo got $last'"}),
		session.Options{Resume: func(context.Context) (string, error) {
			resumed.Add(1)
			token, ok := service.Resume("cut")
			if !ok {
				return "", session.ErrEnded
			}
			return token, nil
		}})
	var all bytes.Buffer
	cuts := 0
	for !strings.HasSuffix(all.String(), "\n3000\r\n") {
		m, err := s.Next(t.Context())
		if err != nil {
			t.Fatalf("after %d bytes: %v", all.Len(), err)
		}
		all.Write(m.Payload)
		if cuts < 2 && all.Len() > 4000*(cuts+1) {
			service.Drop()
			cuts++
		}
	}
	service.Drop()
	if _, err := s.Write([]byte("word\n")); err != nil {
		t.Fatal(err)
	}
	if got := output(t, s); got != "got word\r\n" {
		t.Errorf("at last %q", got)
	}
	var want bytes.Buffer
	for i := range 3000 {
		fmt.Fprintf(&want, "%d\r\n", i+1)
	}
	if !bytes.Equal(all.Bytes(), want.Bytes()) {
		t.Errorf("%d bytes, want %d", all.Len(), want.Len())
	}
	if resumed.Load() == 0 {
		t.Error("the session was never resumed")
	}
}

// TestSessionThatCannotBeResumedEnds holds that a lost session ends with a reason, instead of waiting for good.
func TestSessionThatCannotBeResumedEnds(t *testing.T) {
	for name, resume := range map[string]func(context.Context) (string, error){
		"gone":              func(context.Context) (string, error) { return "", session.ErrEnded },
		"nobody may resume": nil,
	} {
		t.Run(name, func(t *testing.T) {
			service, start := serve(t)
			s := open(t, start("lost", sessions.Kind{Command: "cat"}), session.Options{Resume: resume})
			service.Drop()
			select {
			case <-s.Ended():
			case <-time.After(10 * time.Second):
				t.Fatal("it did not end")
			}
		})
	}
}

// echo listens, and sends back what it gets.
func echo(t testing.TB) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); conn.Close() }()
		}
	}()
	return listener.Addr().String()
}

func ports(t testing.TB, start session.Start, o session.Options, refused func()) *session.Ports {
	s, err := session.Open(t.Context(), start, o)
	if err != nil {
		t.Fatal(err)
	}
	p, err := session.NewPorts(s, refused)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// TestPortCarriesSeveralConnections sends random megabytes through three connections of one session, which is cut on the way.
func TestPortCarriesSeveralConnections(t *testing.T) {
	service, start := serve(t)
	p := ports(t, start("port", sessions.Kind{Address: echo(t)}), session.Options{Resume: func(context.Context) (string, error) {
		token, _ := service.Resume("port")
		return token, nil
	}}, nil)
	results := make(chan error, 3)
	for i := range 3 {
		go func() { results <- roundTrip(p, 1<<20+i) }()
	}
	service.Drop()
	for range 3 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func roundTrip(p *session.Ports, size int) error {
	conn, err := p.Dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	data := make([]byte, size)
	_, _ = rand.Read(data)
	go conn.Write(data)
	sum := sha256.New()
	if _, err := io.CopyN(sum, conn, int64(size)); err != nil {
		return err
	}
	if want := sha256.Sum256(data); !bytes.Equal(sum.Sum(nil), want[:]) {
		return fmt.Errorf("%d bytes came back as others", size)
	}
	return nil
}

func TestPortThatNobodyListensOn(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	_, start := serve(t)
	refused := make(chan struct{}, 1)
	p := ports(t, start("refused", sessions.Kind{Address: address}), session.Options{}, func() { refused <- struct{}{} })
	conn, err := p.Dial()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes from nobody", n)
	}
	select {
	case <-refused:
	case <-time.After(10 * time.Second):
		t.Error("nobody was told")
	}
}

// BenchmarkPort measures one direction of a session's connection: messages of 1,024 bytes, each acknowledged, over loopback.
//
//	go test ./pkg/sandbox/sessions -run '^$' -bench Port -benchtime 3s
func BenchmarkPort(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	const chunk = 1 << 20
	data := make([]byte, chunk)
	for name, transfer := range map[string]func(b *testing.B, local, remote net.Conn){
		"to the port":   func(b *testing.B, local, remote net.Conn) { move(b, remote, local, data) },
		"from the port": func(b *testing.B, local, remote net.Conn) { move(b, local, remote, data) },
	} {
		b.Run(name, func(b *testing.B) {
			_, start := serve(b)
			p := ports(b, start("bench", sessions.Kind{Address: listener.Addr().String()}), session.Options{}, nil)
			local, err := p.Dial()
			if err != nil {
				b.Fatal(err)
			}
			remote, err := listener.Accept()
			if err != nil {
				b.Fatal(err)
			}
			defer remote.Close()
			b.SetBytes(chunk)
			transfer(b, local, remote)
		})
	}
}

func move(b *testing.B, to, from net.Conn, data []byte) {
	done := make(chan error, 1)
	total := int64(0)
	b.ResetTimer()
	go func() {
		_, err := io.CopyN(io.Discard, to, int64(len(data))*int64(b.N))
		done <- err
	}()
	for range b.N {
		n, err := from.Write(data)
		if err != nil {
			b.Fatal(err)
		}
		total += int64(n)
	}
	if err := <-done; err != nil {
		b.Fatalf("after %d bytes: %v", total, err)
	}
}
