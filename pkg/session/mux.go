package session

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/xtaci/smux"
)

// remoteHost is the agent version from which on connections to another host than the instance are known (AWS's documentation of
// AWS-StartPortForwardingSessionToRemoteHost); they are always multiplexed.
const remoteHost = "3.1.1374.0"

// keepAliveEvery is how often a tunnel that nobody uses says that it is wanted: Session Manager ends idle sessions after 20 minutes,
// or what the account says.
const keepAliveEvery = time.Minute

// Ports carries connections over a session of the type Port.
type Ports struct {
	session *Session
	mux     *smux.Session
	pipe    io.Writer
	stop    chan struct{}
}

// NewPorts puts the multiplexer on a session. refused is told when the agent could not connect to the port.
func NewPorts(s *Session, refused func()) (*Ports, error) {
	if s.Kind != TypePort {
		return nil, fmt.Errorf("the session is of the type %q and forwards no port", s.Kind)
	}
	if !atLeast(s.AgentVersion, remoteHost) {
		return nil, fmt.Errorf("the agent is version %q: forwarding to another host needs %s or newer. Update amazon-ssm-agent on the instance",
			s.AgentVersion, remoteHost)
	}
	if refused == nil {
		refused = func() {}
	}
	connection := Pipe(s, func(m Message) {
		if m.Kind == Flag && len(m.Payload) == 4 && binary.BigEndian.Uint32(m.Payload) == ConnectToPortError {
			refused()
		}
	})
	p := &Ports{session: s, pipe: connection, stop: make(chan struct{})}
	config := smux.DefaultConfig()
	config.KeepAliveDisabled = true // the agent has its off as well; see keepAlive
	var err error
	if p.mux, err = smux.Client(connection, config); err != nil {
		return nil, err
	}
	go p.keepAlive()
	return p, nil
}

// Dial opens a connection to the port that the session was started for.
func (p *Ports) Dial() (net.Conn, error) {
	stream, err := p.mux.OpenStream()
	if err != nil {
		if ended := p.session.Err(); ended != nil {
			err = ended
		}
		return nil, err
	}
	return stream, nil
}

// Ended is closed when the session is.
func (p *Ports) Ended() <-chan struct{} { return p.session.Ended() }

// Err is why the session ended.
func (p *Ports) Err() error { return p.session.Err() }

// Close ends the connections, asks the agent to end the session, and closes it.
func (p *Ports) Close() error {
	close(p.stop)
	if p.session.Err() == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		p.session.Terminate(ctx)
	}
	err := p.session.Close()
	return errors.Join(err, ignoreClosed(p.mux.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, io.ErrClosedPipe) || errors.Is(err, ErrEnded) {
		return nil
	}
	return err
}

// nop is the multiplexer's empty frame. Its own keep-alive also expects to hear something, which agents do not say.
var nop = []byte{1, 3, 0, 0, 0, 0, 0, 0}

func (p *Ports) keepAlive() {
	ticker := time.NewTicker(keepAliveEvery)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-p.session.Ended():
			p.mux.Close()
			return
		case <-ticker.C:
			_, _ = p.pipe.Write(nop) // an error is the session's end
		}
	}
}

// Stream is a session, or a channel, as far as connections are carried over it.
type Stream interface {
	Next(ctx context.Context) (Message, error)
	Write(data []byte) (int, error)
}

// pipe is a stream as the multiplexer's connection. Each write of the multiplexer is one frame, so that a frame of ours can come
// between two of them.
type pipe struct {
	Stream
	other func(Message) // is told of what is not data
	left  []byte
	mu    sync.Mutex
}

// Pipe makes a connection of a stream. other is told of messages that carry no data. Closing it does nothing.
func Pipe(s Stream, other func(Message)) io.ReadWriteCloser { return &pipe{Stream: s, other: other} }

func (p *pipe) Read(to []byte) (int, error) {
	for len(p.left) == 0 {
		m, err := p.Next(context.Background())
		if err != nil {
			return 0, err
		}
		if m.Kind == Output {
			p.left = m.Payload
		} else {
			p.other(m)
		}
	}
	n := copy(to, p.left)
	p.left = p.left[n:]
	return n, nil
}

func (p *pipe) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Stream.Write(data)
}

func (p *pipe) Close() error { return nil }

// Join copies both ways between two connections until both directions are done, and closes them.
func Join(a, b io.ReadWriteCloser) {
	var both sync.WaitGroup
	half := func(to, from io.ReadWriteCloser) {
		_, _ = io.Copy(to, from) // how it ended is the two programs' matter
		if half, ok := to.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
			return
		}
		_ = to.Close()
	}
	both.Go(func() { half(a, b) })
	both.Go(func() { half(b, a) })
	both.Wait()
	_ = a.Close()
	_ = b.Close()
}
