package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// The numbers of the protocol, as AWS's own client has them, but the window: theirs keeps the newest 10,000 messages and forgets
// older ones that are not acknowledged; here who writes waits.
const (
	ChunkSize      = 1024 // bytes of payload in one message of data
	window         = 4096 // messages that may be unacknowledged
	inbox          = 10_000
	resendInterval = 100 * time.Millisecond
	firstTimeout   = 200 * time.Millisecond
	maxTimeout     = time.Second
	granularity    = 10 * time.Millisecond
	giveUp         = 5 * time.Minute // for one message to be acknowledged on a connection that stands
)

// pingInterval is how often a connection that says nothing is asked whether it is there; after three it is taken for lost. AWS's
// client asks every five minutes, which many a NAT does not live to see.
const pingInterval = 30 * time.Second

// ErrEnded is the error of a session that is over: by its own end, or because one of the two ends ended it.
var ErrEnded = errors.New("the session has ended")

// EndedError is ErrEnded with what the other end said.
type EndedError struct{ Said string }

func (e *EndedError) Error() string {
	if e.Said == "" {
		return ErrEnded.Error()
	}
	return fmt.Sprintf("%v: %s", ErrEnded, e.Said)
}

// Is makes it ErrEnded.
func (e *EndedError) Is(target error) bool { return target == ErrEnded }

// Channel is one end of a data channel: an ordered, reliable stream of messages over connections that may come and go. It is safe
// for concurrent use, with one reader.
type Channel struct {
	sends, takes string

	mu       sync.Mutex
	room     sync.Cond
	conn     *websocket.Conn // nil: none at the moment
	paused   bool
	next     int64         // sequence number of the next message out
	oldest   int64         // of the first one that is not acknowledged
	unacked  [window]sent  // by sequence number modulo window
	trip     time.Duration // round trip
	varies   time.Duration // and how much it varies
	timeout  time.Duration // after which the oldest message is sent again
	failed   error         // why nothing can be written any more
	expected int64         // the next message in; the reader of the connection alone uses it
	early    map[int64]Message

	incoming chan Message
	ended    chan struct{} // closed when failed is set
}

type sent struct {
	frame []byte // nil: acknowledged
	at    time.Time
	first time.Time
	again bool // sent more than once: its acknowledgement tells nothing of the round trip
}

// NewChannel makes an end that sends messages of one type of stream and takes those of the other. Its end of the connection is
// given by Attach.
func NewChannel(sends, takes string) *Channel {
	c := &Channel{
		sends: sends, takes: takes, early: map[int64]Message{}, timeout: firstTimeout, trip: resendInterval,
		incoming: make(chan Message, inbox), ended: make(chan struct{}),
	}
	c.room.L = &c.mu
	return c
}

// Next returns the next message of the stream, in order. After the end it returns what had arrived, and then why it ended.
func (c *Channel) Next(ctx context.Context) (Message, error) {
	select {
	case m := <-c.incoming:
		return m, nil
	default:
	}
	select {
	case m := <-c.incoming:
		return m, nil
	case <-ctx.Done():
		return Message{}, context.Cause(ctx)
	case <-c.ended:
		select {
		case m := <-c.incoming:
			return m, nil
		default:
			return Message{}, c.Err()
		}
	}
}

// Ended is closed when the channel is at its end.
func (c *Channel) Ended() <-chan struct{} { return c.ended }

// Err is why the channel ended; nil while it has not.
func (c *Channel) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// End ends the channel for an error, and its connection. Only the first call counts.
func (c *Channel) End(err error) {
	c.mu.Lock()
	if c.failed != nil {
		c.mu.Unlock()
		return
	}
	c.failed = err
	conn := c.conn
	c.conn = nil
	close(c.ended)
	c.room.Broadcast()
	c.mu.Unlock()
	if conn != nil {
		_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
		_ = conn.Close() // it is of no more use either way
	}
}

// Send sends a message of the stream. It waits while as many as may be are unacknowledged, also without a connection.
func (c *Channel) Send(kind Payload, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.failed == nil && c.next-c.oldest >= window {
		c.room.Wait()
	}
	if c.failed != nil {
		return c.failed
	}
	now := time.Now()
	m := Message{Type: c.sends, Schema: 1, Created: now, Sequence: c.next, ID: NewUUID(), Kind: kind, Payload: payload}
	if c.next == 0 && c.sends == OutputStream {
		m.Flags = 1
	}
	frame := m.Append(make([]byte, 0, atPayload+len(payload)))
	c.unacked[c.next%window] = sent{frame: frame, at: now, first: now}
	c.next++
	c.write(frame)
	return nil
}

// Write sends data in messages of 1,024 bytes.
func (c *Channel) Write(data []byte) (int, error) {
	n := 0
	for len(data) > 0 {
		chunk := data[:min(len(data), ChunkSize)]
		if err := c.Send(Output, chunk); err != nil {
			return n, err
		}
		n += len(chunk)
		data = data[len(chunk):]
	}
	return n, nil
}

// write hands a frame to the connection, if there is one. An error shows where the connection is read: the frame is sent again on
// the next one.
func (c *Channel) write(frame []byte) {
	if c.conn != nil && !c.paused {
		_ = c.conn.WriteMessage(websocket.BinaryMessage, frame)
	}
}

// Drain waits until everything is acknowledged, the channel has ended, or the context has.
func (c *Channel) Drain(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { c.mu.Lock(); c.room.Broadcast(); c.mu.Unlock() })
	defer stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.failed == nil && c.oldest < c.next && ctx.Err() == nil {
		c.room.Wait()
	}
}

// SayClosed tells the other end that the channel is closed, outside the stream, and why.
func (c *Channel) SayClosed(sessionID, why string) {
	payload, _ := json.Marshal(closedContent{MessageID: NewUUID().String(), SessionID: sessionID, MessageType: ChannelClosed,
		SchemaVersion: 1, Output: why})
	m := Message{Type: ChannelClosed, Schema: 1, Created: time.Now(), ID: NewUUID(), Payload: payload}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write(m.Append(nil))
}

type closedContent struct {
	MessageID     string `json:"MessageId"`
	CreatedDate   string `json:"CreatedDate"`
	DestinationID string `json:"DestinationId"`
	SessionID     string `json:"SessionId"`
	MessageType   string `json:"MessageType"`
	SchemaVersion int    `json:"SchemaVersion"`
	Output        string `json:"Output"`
}

type acknowledged struct {
	Type       string `json:"AcknowledgedMessageType"`
	ID         string `json:"AcknowledgedMessageId"`
	Sequence   int64  `json:"AcknowledgedMessageSequenceNumber"`
	Sequential bool   `json:"IsSequentialMessage"`
}

// Attach gives the channel a connection, sends again what was not acknowledged on the one before, and reads from it until it fails
// or the channel ends. The error is the connection's.
func (c *Channel) Attach(conn *websocket.Conn) error {
	conn.SetReadLimit(maxMessage)
	c.mu.Lock()
	if c.failed != nil {
		c.mu.Unlock()
		conn.Close()
		return c.failed
	}
	if c.conn != nil {
		c.conn.Close() // a second connection takes over
	}
	c.conn, c.paused = conn, false
	c.resendAll()
	c.mu.Unlock()
	stop := make(chan struct{})
	var tending sync.WaitGroup
	tending.Go(func() { c.tend(conn, stop) })
	err := c.read(conn)
	close(stop)
	tending.Wait()
	conn.Close()
	c.mu.Lock()
	if c.conn == conn {
		c.conn = nil
	}
	c.mu.Unlock()
	return err
}

func (c *Channel) resendAll() {
	now := time.Now()
	for n := c.oldest; n < c.next; n++ {
		if m := &c.unacked[n%window]; m.frame != nil {
			m.at, m.first, m.again = now, now, true
			c.write(m.frame)
		}
	}
}

// tend sends again what is not acknowledged in time, and asks a silent connection whether it is there.
func (c *Channel) tend(conn *websocket.Conn, stop <-chan struct{}) {
	resend, ping := time.NewTicker(resendInterval), time.NewTicker(pingInterval)
	defer resend.Stop()
	defer ping.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ping.C:
			_ = conn.WriteControl(websocket.PingMessage, []byte("keepalive"), time.Now().Add(time.Second)) // read tells that it failed
		case now := <-resend.C:
			if c.resendOldest(now) {
				c.End(fmt.Errorf("the other end has acknowledged nothing for %v", giveUp))
			}
		}
	}
}

func (c *Channel) resendOldest(now time.Time) (hopeless bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &c.unacked[c.oldest%window]
	if c.oldest == c.next || m.frame == nil || c.paused {
		return false
	}
	if now.Sub(m.at) > c.timeout {
		m.at, m.again = now, true
		c.write(m.frame)
	}
	return now.Sub(m.first) > giveUp
}

// read takes messages from a connection until it fails.
func (c *Channel) read(conn *websocket.Conn) error {
	alive := func(string) error { return conn.SetReadDeadline(time.Now().Add(3 * pingInterval)) }
	conn.SetPongHandler(alive)
	answer := conn.PingHandler()
	conn.SetPingHandler(func(data string) error { _ = alive(""); return answer(data) })
	_ = alive("")
	buffer := make([]byte, 0, 4096)
	since := time.Now()
	for {
		kind, reader, err := conn.NextReader()
		if err != nil {
			return err
		}
		if buffer, err = readAll(reader, buffer[:0]); err != nil {
			return err
		}
		if now := time.Now(); now.Sub(since) > time.Second {
			since = now
			_ = alive("")
		}
		if kind != websocket.BinaryMessage {
			continue // only the service's own words are text, and the protocol has none for this end
		}
		m, err := Parse(buffer)
		if err != nil {
			return fmt.Errorf("the other end sent what is not a message of the protocol: %w", err)
		}
		if err := c.take(m); err != nil {
			return err
		}
	}
}

func readAll(r io.Reader, to []byte) ([]byte, error) {
	for {
		if len(to) == cap(to) {
			to = append(to, 0)[:len(to)]
		}
		n, err := r.Read(to[len(to):cap(to)])
		to = to[:len(to)+n]
		if errors.Is(err, io.EOF) {
			return to, nil
		}
		if err != nil {
			return to, err
		}
	}
}

// take does what a message asks for.
func (c *Channel) take(m Message) error {
	switch m.Type {
	case c.takes:
		return c.takeStream(m)
	case Acknowledge:
		sequence, err := acknowledgedBy(m.Payload)
		if err != nil {
			return fmt.Errorf("the other end acknowledged in a form that cannot be read: %w", err)
		}
		c.acknowledge(sequence, time.Now())
	case PausePublication, StartPublication:
		c.mu.Lock()
		was := c.paused
		c.paused = m.Type == PausePublication
		if was && !c.paused {
			c.resendAll()
		}
		c.mu.Unlock()
	case ChannelClosed:
		var closed closedContent
		_ = json.Unmarshal(m.Payload, &closed) // what cannot be read says nothing more than that it is closed
		c.End(&EndedError{Said: closed.Output})
		return ErrEnded
	}
	return nil // other types are passed over, as AWS's client does
}

// takeStream puts a message of the stream into its place. What came before is acknowledged again: the acknowledgement may have been
// lost. What comes too early and finds no room is not acknowledged, and will come again.
func (c *Channel) takeStream(m Message) error {
	switch {
	case m.Sequence < c.expected:
		c.confirm(m)
		return nil
	case m.Sequence > c.expected:
		if len(c.early) < inbox {
			m.Payload = append([]byte(nil), m.Payload...)
			c.early[m.Sequence] = m
			c.confirm(m)
		}
		return nil
	}
	m.Payload = append([]byte(nil), m.Payload...)
	for {
		select {
		case c.incoming <- m:
		case <-c.ended:
			return ErrEnded
		}
		c.expected++
		if _, early := c.early[m.Sequence]; !early {
			c.confirm(m)
		}
		delete(c.early, m.Sequence)
		next, ok := c.early[c.expected]
		if !ok {
			return nil
		}
		m = next
	}
}

// confirm acknowledges a message.
func (c *Channel) confirm(m Message) {
	payload := make([]byte, 0, 192)
	payload = append(payload, `{"AcknowledgedMessageType":"`...)
	payload = append(payload, m.Type...)
	payload = append(payload, `","AcknowledgedMessageId":"`...)
	payload = append(payload, m.ID.String()...)
	payload = append(payload, `","AcknowledgedMessageSequenceNumber":`...)
	payload = strconv.AppendInt(payload, m.Sequence, 10)
	payload = append(payload, `,"IsSequentialMessage":true}`...)
	a := Message{Type: Acknowledge, Schema: 1, Created: time.Now(), Flags: 3, ID: NewUUID(), Payload: payload}
	frame := a.Append(make([]byte, 0, atPayload+len(payload)))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		_ = c.conn.WriteMessage(websocket.BinaryMessage, frame) // lost with the connection: the message comes again
	}
}

// acknowledgedBy returns the sequence number that an acknowledgement is of. Each kilobyte has one: the form that both AWS's ends write is
// read without the decoder.
func acknowledgedBy(payload []byte) (int64, error) {
	const field = `"AcknowledgedMessageSequenceNumber":`
	if at := bytes.Index(payload, []byte(field)); at >= 0 && bytes.Count(payload, []byte(field)) == 1 {
		number := payload[at+len(field):]
		digits := 0
		for digits < len(number) && number[digits] >= '0' && number[digits] <= '9' {
			digits++
		}
		if n, err := strconv.ParseInt(string(number[:digits]), 10, 64); err == nil {
			return n, nil
		}
	}
	var a acknowledged
	err := json.Unmarshal(payload, &a)
	return a.Sequence, err
}

// acknowledge takes a message off those that wait for it.
func (c *Channel) acknowledge(sequence int64, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if sequence < c.oldest || sequence >= c.next {
		return
	}
	m := &c.unacked[sequence%window]
	if m.frame != nil && !m.again {
		c.trip, c.varies, c.timeout = settle(c.trip, c.varies, now.Sub(m.at))
	}
	m.frame = nil
	for c.oldest < c.next && c.unacked[c.oldest%window].frame == nil {
		c.oldest++
	}
	c.room.Broadcast()
}

// settle estimates the round trip from one more measurement, and how long to wait for an acknowledgement (RFC 6298, with AWS's
// constants).
func settle(trip, varies, measured time.Duration) (newTrip, newVaries, timeout time.Duration) {
	difference := math.Abs(float64(trip - measured))
	newVaries = time.Duration(0.75*float64(varies) + 0.25*difference)
	newTrip = time.Duration(0.875*float64(trip) + 0.125*float64(measured))
	return newTrip, newVaries, min(newTrip+max(granularity, 4*newVaries), maxTimeout)
}

// Detach cuts the connection, as a network that fails does. The channel goes on with the next one.
func (c *Channel) Detach() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		_ = c.conn.NetConn().Close()
		c.conn = nil
	}
}
