// Package sessions is the sandbox's Session Manager behind its API: the address that data channels are opened at, and the agent at
// their other end. A session runs a real process under a pseudo-terminal, or carries connections to a real port, so it exists only
// where the sandbox is told that it may.
//
// Other than the rest of the sandbox this goes on in the background, and in real time: a process does.
//
// Sources: github.com/aws/session-manager-plugin for the protocol, which is pkg/session's; github.com/aws/amazon-ssm-agent for how the
// agent runs a command in a container: split as by a shell, and run without one.
package sessions

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	"github.com/google/shlex"
	"github.com/xtaci/smux"

	"github.com/org/connect2/v2/pkg/session"
)

// Path is what the addresses of data channels begin with.
const Path = "/v1/data-channel/"

// AgentVersion is the version that the agent says it has.
const AgentVersion = "3.3.1611.0"

// resumable is how long a session waits for its client to come back.
const resumable = 2 * time.Minute

// Kind says what a session is for: a command, or connections to an address.
type Kind struct {
	Command     string            // as the caller gave it; empty with Address: a shell
	Shell       bool              // the command is a shell's, as on an instance; in a container it is split and run
	Environment map[string]string // of the process, beside PATH, HOME and TERM
	Directory   string            // where it runs; "": where the sandbox does
	Port        any               // the session's properties, as the document and its parameters have them
	Address     string            // HOST:PORT to connect to
}

// Service holds the sessions.
type Service struct {
	newID func() string

	mu       sync.Mutex
	sessions map[string]*running
	closed   bool
	agents   sync.WaitGroup
}

type running struct {
	id, token string
	kind      Kind
	channel   *session.Channel
	cancel    context.CancelCauseFunc
	attached  int         // connections so far; the agent begins with the first
	lost      *time.Timer // ends it where no client comes (back)
}

// New makes a service without sessions. Tokens are made of newID.
func New(newID func() string) *Service {
	return &Service{newID: newID, sessions: map[string]*running{}}
}

// Create makes a session that begins when its client connects with the token.
func (s *Service) Create(id string, kind Kind) (token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &running{id: id, token: s.newID(), kind: kind, channel: session.NewChannel(session.OutputStream, session.InputStream)}
	s.sessions[id] = r
	r.lost = time.AfterFunc(resumable, func() { s.Terminate(id, "nobody connected") })
	return r.token
}

// ID makes a part of a session's id.
func (s *Service) ID() string { return s.newID() }

// Resume gives a session that is still there a new token.
func (s *Service) Resume(id string) (token string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.sessions[id]
	if r == nil {
		return "", false
	}
	r.token = s.newID()
	return r.token, true
}

// Terminate ends a session and what runs in it.
func (s *Service) Terminate(id, why string) {
	s.mu.Lock()
	r := s.sessions[id]
	delete(s.sessions, id)
	s.mu.Unlock()
	if r == nil {
		return
	}
	r.lost.Stop()
	r.channel.SayClosed(id, why)
	r.channel.End(&session.EndedError{Said: why})
	if r.cancel != nil {
		r.cancel(session.ErrEnded)
	}
}

// Drop cuts the connection of every session, as a network does: the sessions stay.
func (s *Service) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.sessions {
		r.channel.Detach()
	}
}

// End ends all sessions.
func (s *Service) End(why string) {
	s.mu.Lock()
	var ids []string
	for id := range s.sessions {
		ids = append(ids, id)
	}
	s.mu.Unlock()
	for _, id := range ids {
		s.Terminate(id, why)
	}
}

// Close ends all sessions, lets no other begin, and waits for what runs in them.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.End("the sandbox has stopped")
	s.agents.Wait()
}

// ServeHTTP opens the data channel of a session.
func (s *Service) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	id := strings.TrimPrefix(hr.URL.Path, Path)
	conn, hello, err := session.Upgrade(w, hr)
	if err != nil {
		return // the client has its answer, or is gone
	}
	r, begin := s.admit(id, hello.TokenValue)
	if r == nil {
		_ = conn.Close()
		return
	}
	if begin {
		s.agents.Go(func() { s.agent(r) })
	}
	_ = r.channel.Attach(conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[id] == r {
		r.lost = time.AfterFunc(resumable, func() { s.Terminate(id, "its client did not come back") })
	}
}

// admit finds the session that a token opens. A token opens one connection: the next one needs a new token, by ResumeSession.
func (s *Service) admit(id, token string) (r *running, begin bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r = s.sessions[id]; r == nil || s.closed || token == "" || token != r.token {
		return nil, false
	}
	r.token = ""
	r.lost.Stop()
	r.attached++
	return r, r.attached == 1
}

// agent is the other end of a session, from the handshake to its end.
func (s *Service) agent(r *running) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	s.mu.Lock()
	r.cancel = cancel
	s.mu.Unlock()
	var why string
	if err := r.greet(ctx); err != nil {
		why = err.Error()
	} else if r.kind.Address != "" {
		err = r.forward(ctx)
		why = said(err)
	} else {
		err = r.run(ctx)
		why = said(err)
	}
	bounded, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	r.channel.Drain(bounded)
	s.Terminate(r.id, why)
}

func said(err error) string {
	if err == nil || errors.Is(err, session.ErrEnded) {
		return ""
	}
	return err.Error()
}

// greet makes the handshake.
func (r *running) greet(ctx context.Context) error {
	kind, properties := session.TypeInteractive, any(map[string]any{})
	switch {
	case r.kind.Address != "":
		kind, properties = session.TypePort, r.kind.Port
	case r.kind.Command == "":
		kind = session.TypeShell
	}
	request, err := session.Greet(AgentVersion, kind, properties)
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := r.channel.Send(session.HandshakeRequest, request); err != nil {
		return err
	}
	for {
		m, err := r.channel.Next(ctx)
		if err != nil {
			return err
		}
		if m.Kind != session.HandshakeResponse {
			continue // AWS's agent passes over what comes before, too
		}
		var answer session.HandshakeAnswer
		if err := json.Unmarshal(m.Payload, &answer); err != nil {
			return fmt.Errorf("the handshake's response cannot be read: %w", err)
		}
		if len(answer.Errors) > 0 {
			return fmt.Errorf("the client refused: %s", strings.Join(answer.Errors, "; "))
		}
		done, _ := json.Marshal(session.Completed{HandshakeTimeToComplete: int64(time.Since(begun))})
		return r.channel.Send(session.HandshakeComplete, done)
	}
}

// command is what the process runs.
func (r *running) command() ([]string, error) {
	switch {
	case r.kind.Command == "":
		return []string{"sh"}, nil
	case r.kind.Shell:
		return []string{"sh", "-c", r.kind.Command}, nil
	}
	words, err := shlex.Split(r.kind.Command)
	if err == nil && len(words) == 0 {
		err = errors.New("the command is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("unable to start command: %w", err)
	}
	return words, nil
}

// run runs the command under a pseudo-terminal, until it or the session ends.
func (r *running) run(ctx context.Context) error {
	words, err := r.command()
	if err != nil {
		return err
	}
	process := exec.CommandContext(context.WithoutCancel(ctx), words[0], words[1:]...) // its end is the session's, told by a signal below
	process.Dir = r.kind.Directory
	process.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmp.Or(os.Getenv("HOME"), "/"), "TERM=xterm-256color", "LANG=C.UTF-8"}
	for name, value := range r.kind.Environment {
		process.Env = append(process.Env, name+"="+value)
	}
	terminal, err := pty.StartWithSize(process, &pty.Winsize{Cols: 80, Rows: 24})
	if err != nil {
		return fmt.Errorf("unable to start command: %w", err)
	}
	defer terminal.Close()
	group := -process.Process.Pid // pty makes it the leader of a session
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
	defer stop()
	input, ended := context.WithCancel(ctx)
	var typing sync.WaitGroup
	typing.Go(func() { r.typed(input, terminal, group) })
	_, _ = io.Copy(r.channel, terminal) // ends with an error when the last process has let go of the terminal: its end
	err = process.Wait()
	ended()
	typing.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil // Session Manager tells nobody of it
	}
	return err
}

// typed does what the client's messages ask for.
func (r *running) typed(ctx context.Context, terminal *os.File, group int) {
	for {
		m, err := r.channel.Next(ctx)
		if err != nil {
			if ctx.Err() == nil {
				_ = syscall.Kill(group, syscall.SIGHUP) // the client is gone
			}
			return
		}
		switch m.Kind {
		case session.Output:
			if _, err := terminal.Write(m.Payload); err != nil {
				return
			}
		case session.Size:
			var size session.WindowSize
			if json.Unmarshal(m.Payload, &size) == nil && size.Rows > 0 && size.Columns > 0 {
				_ = pty.Setsize(terminal, &pty.Winsize{Cols: uint16(min(size.Columns, 1<<16-1)), Rows: uint16(min(size.Rows, 1<<16-1))})
			}
		case session.Flag:
			if flag(m) == session.TerminateSession {
				_ = syscall.Kill(group, syscall.SIGHUP)
			}
		}
	}
}

func flag(m session.Message) uint32 {
	if m.Kind != session.Flag || len(m.Payload) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(m.Payload)
}

// forward carries connections to the address, until the session ends.
func (r *running) forward(ctx context.Context) error {
	terminated := make(chan struct{})
	var once sync.Once
	end := func() { once.Do(func() { close(terminated) }) }
	pipe := session.Pipe(r.channel, func(m session.Message) {
		if flag(m) == session.TerminateSession {
			end()
		}
	})
	config := smux.DefaultConfig()
	config.KeepAliveDisabled = true
	mux, err := smux.Server(pipe, config)
	if err != nil {
		return err
	}
	defer mux.Close()
	go func() {
		select {
		case <-terminated:
		case <-ctx.Done():
		case <-r.channel.Ended():
		}
		_ = mux.Close()
	}()
	var connections sync.WaitGroup
	defer connections.Wait()
	for {
		stream, err := mux.AcceptStream()
		if err != nil {
			return session.ErrEnded
		}
		connections.Go(func() {
			conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", r.kind.Address)
			if err != nil {
				_ = r.channel.Send(session.Flag, binary.BigEndian.AppendUint32(nil, session.ConnectToPortError))
				_ = stream.Close()
				return
			}
			release := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer release()
			closed := make(chan struct{})
			defer close(closed)
			go func() {
				select {
				case <-mux.CloseChan():
					_ = conn.Close()
				case <-closed:
				}
			}()
			session.Join(stream, conn)
		})
	}
}
