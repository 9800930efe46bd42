package session

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// Start is what ssm:StartSession and ecs:ExecuteCommand return.
type Start struct {
	ID    string // of the session
	URL   string // wss://…
	Token string // a secret
}

// Options of a client. All may be left out.
type Options struct {
	// Resume gets a new token for a session whose connection was lost: ssm:ResumeSession. ErrEnded says that there is none. Without
	// it a lost connection ends the session.
	Resume  func(ctx context.Context) (token string, err error)
	DataKey DataKey                          // for sessions that are encrypted with KMS
	TLS     *tls.Config                      // of the connection
	Tell    func(format string, args ...any) // what happens to the connection, for people
}

// Session is a client's end of a session whose handshake is done.
type Session struct {
	*Channel
	ID           string
	Kind         string          // TypeShell, TypeInteractive, TypeNonInteractive, TypePort
	Properties   json.RawMessage // what the agent says of it
	AgentVersion string          // empty: an agent that makes no handshake
	Said         string          // the account's own words for who opens a session

	cipher *sealer
	first  *Message // that came in place of a handshake
	closed chan struct{}
}

// handshakeTime bounds the wait for the agent. AWS's service answers at once where there is an agent, and never where it is gone.
const handshakeTime = 45 * time.Second

// Open connects to a session and makes the handshake. The session lives until Close, its own end, or that of the context.
func Open(ctx context.Context, start Start, o Options) (*Session, error) {
	if o.Tell == nil {
		o.Tell = func(string, ...any) {}
	}
	s := &Session{Channel: NewChannel(InputStream, OutputStream), ID: start.ID, closed: make(chan struct{})}
	conn, err := dial(ctx, start, o)
	if err != nil {
		return nil, err
	}
	go s.keep(ctx, conn, start, o)
	bounded, cancel := context.WithTimeoutCause(ctx, handshakeTime,
		fmt.Errorf("the agent has not answered within %v: it has stopped, or cannot reach the service", handshakeTime))
	defer cancel()
	if err := s.shake(bounded, o.DataKey); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// dial opens one connection and shows the token.
func dial(ctx context.Context, start Start, o Options) (*websocket.Conn, error) {
	dialer := websocket.Dialer{
		Proxy: http.ProxyFromEnvironment, HandshakeTimeout: 20 * time.Second, TLSClientConfig: o.TLS,
		ReadBufferSize: 64 << 10, WriteBufferSize: 4 << 10,
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return newBatched(conn), nil
		},
	}
	conn, answer, err := dialer.DialContext(ctx, start.URL, nil) //nolint:bodyclose // gorilla reads what is kept of it; nothing is open
	if err != nil {
		if answer != nil {
			return nil, fmt.Errorf("open the data channel: the service answered %s", answer.Status)
		}
		return nil, fmt.Errorf("open the data channel: %w", err)
	}
	hello, _ := json.Marshal(OpenChannel{
		MessageSchemaVersion: "1.0", RequestID: NewUUID().String(), TokenValue: start.Token,
		ClientID: NewUUID().String(), ClientVersion: ClientVersion,
	})
	if err := conn.WriteMessage(websocket.TextMessage, hello); err != nil {
		conn.Close()
		return nil, fmt.Errorf("open the data channel: %w", err)
	}
	return conn, nil
}

// resumeFor is how long a lost connection is tried for again.
const resumeFor = 5 * time.Minute

// keep holds the session on connections, one after another, until it ends.
func (s *Session) keep(ctx context.Context, conn *websocket.Conn, start Start, o Options) {
	defer close(s.closed)
	stop := context.AfterFunc(ctx, func() { s.End(context.Cause(ctx)) })
	defer stop()
	for {
		err := s.Attach(conn)
		if s.Err() != nil {
			return
		}
		if o.Resume == nil {
			s.End(fmt.Errorf("the connection was lost: %w", err))
			return
		}
		o.Tell("the connection of session %s was lost (%v): connecting again", s.ID, err)
		if conn, err = s.again(ctx, start, o); err != nil {
			s.End(err)
			return
		}
		o.Tell("session %s goes on", s.ID)
	}
}

// again connects to a session that was lost, with longer and longer waits.
func (s *Session) again(ctx context.Context, start Start, o Options) (*websocket.Conn, error) {
	deadline := time.Now().Add(resumeFor)
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		token, err := o.Resume(ctx)
		if err == nil {
			var conn *websocket.Conn
			start.Token = token
			if conn, err = dial(ctx, start, o); err == nil {
				return conn, nil
			}
		}
		if errors.Is(err, ErrEnded) {
			return nil, &EndedError{Said: "it could not be resumed"}
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the session could not be resumed within %v: %w", resumeFor, err)
		}
		select {
		case <-time.After(wait):
		case <-s.Ended():
			return nil, s.Err()
		}
	}
}

// shake is the client's half of the handshake. An agent that makes none begins with its output.
func (s *Session) shake(ctx context.Context, dataKey DataKey) error {
	var g greeting
	for {
		m, err := s.Next(ctx)
		if err != nil {
			return fmt.Errorf("the session did not begin: %w", err)
		}
		switch m.Kind {
		case HandshakeRequest:
			answer, problem := g.answer(ctx, m.Payload, dataKey)
			payload, _ := json.Marshal(answer)
			if err := s.Send(HandshakeResponse, payload); err != nil {
				return err
			}
			if problem != nil {
				s.Drain(ctx)
				return problem
			}
		case ChallengeRequest:
			if err := s.respond(g, m.Payload); err != nil {
				return err
			}
		case HandshakeComplete:
			var done Completed
			_ = json.Unmarshal(m.Payload, &done) // AWS's client takes what it can read, too
			s.Kind, s.Properties, s.AgentVersion, s.Said, s.cipher = g.kind, g.properties, g.agent, done.CustomerMessage, g.cipher
			if s.Kind == "" {
				return errors.New("the agent ended the handshake without saying what session this is")
			}
			return nil
		default:
			s.Kind, s.first = TypeShell, &m
			return nil
		}
	}
}

// respond shows the agent that both have the same key.
func (s *Session) respond(g greeting, payload []byte) error {
	var c challenge
	if err := json.Unmarshal(payload, &c); err != nil || g.cipher == nil {
		return errors.New("the agent's challenge cannot be read")
	}
	plain, err := g.cipher.open(c.Challenge)
	if err != nil {
		return fmt.Errorf("the agent's challenge cannot be decrypted: %w", err)
	}
	answer, _ := json.Marshal(challenge{g.cipher.seal(plain)})
	return s.Send(ChallengeResponse, answer)
}

// Next returns the next message of the session, decrypted.
func (s *Session) Next(ctx context.Context) (Message, error) {
	if m := s.first; m != nil {
		s.first = nil
		return *m, nil
	}
	m, err := s.Channel.Next(ctx)
	if err == nil && s.cipher != nil && sealed(m.Kind) {
		if m.Payload, err = s.cipher.open(m.Payload); err != nil {
			err = fmt.Errorf("what the agent sent cannot be decrypted: %w", err)
			s.End(err)
		}
	}
	return m, err
}

// Write sends data.
func (s *Session) Write(data []byte) (int, error) {
	if s.cipher == nil {
		return s.Channel.Write(data)
	}
	n := 0
	for len(data) > 0 {
		chunk := data[:min(len(data), ChunkSize)]
		if err := s.Send(Output, s.cipher.seal(chunk)); err != nil {
			return n, err
		}
		n += len(chunk)
		data = data[len(chunk):]
	}
	return n, nil
}

// Resize tells the size of the terminal.
func (s *Session) Resize(columns, rows int) error {
	size, _ := json.Marshal(WindowSize{Columns: columns, Rows: rows})
	return s.Send(Size, size)
}

// WindowSize is the size of a terminal.
type WindowSize struct {
	Columns int `json:"cols"`
	Rows    int `json:"rows"`
}

// Terminate asks the agent to end the session, and waits for a moment until it has the word.
func (s *Session) Terminate(ctx context.Context) {
	if s.Send(Flag, binary.BigEndian.AppendUint32(nil, TerminateSession)) == nil {
		s.Drain(ctx)
	}
}

// Close ends this end of the session and its connection.
func (s *Session) Close() error {
	s.End(&EndedError{Said: "it was closed here"})
	<-s.closed
	return nil
}

var _ io.Writer = (*Session)(nil)
