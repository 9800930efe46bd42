package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// peer is the other end of a channel, written by hand: it sends what the test says and sees what comes.
type peer struct {
	*websocket.Conn
	t *testing.T
}

// attached returns a channel with a connection, and its other end.
func attached(t *testing.T, c *Channel) peer {
	t.Helper()
	conns := make(chan *websocket.Conn, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
		}
		conns <- conn
	}))
	t.Cleanup(server.Close)
	client, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = c.Attach(client) }()
	other := <-conns
	t.Cleanup(func() { other.Close(); <-done })
	return peer{other, t}
}

func (p peer) send(m Message) {
	p.t.Helper()
	if err := p.WriteMessage(websocket.BinaryMessage, m.Append(nil)); err != nil {
		p.t.Fatal(err)
	}
}

func (p peer) data(sequence int64) {
	p.send(Message{Type: OutputStream, Schema: 1, Created: time.Now(), Sequence: sequence, Kind: Output, Payload: fmt.Append(nil, sequence)})
}

// receive returns the next message that is of a type.
func (p peer) receive(kind string) Message {
	p.t.Helper()
	_ = p.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		_, data, err := p.ReadMessage()
		if err != nil {
			p.t.Fatal(err)
		}
		if m, err := Parse(data); err != nil {
			p.t.Fatal(err)
		} else if m.Type == kind {
			return m
		}
	}
}

func (p peer) acknowledged() int64 {
	p.t.Helper()
	var a acknowledged
	if err := json.Unmarshal(p.receive(Acknowledge).Payload, &a); err != nil {
		p.t.Fatal(err)
	}
	return a.Sequence
}

// TestMessagesComeInOrderAndOnce sends messages early, late and twice.
func TestMessagesComeInOrderAndOnce(t *testing.T) {
	c := NewChannel(InputStream, OutputStream)
	p := attached(t, c)
	order := []int64{0, 3, 2, 0, 1, 3, 4}
	for _, n := range order {
		p.data(n)
	}
	for want := range int64(5) {
		m, err := c.Next(t.Context())
		if err != nil || m.Sequence != want || string(m.Payload) != fmt.Sprint(want) {
			t.Fatalf("%d with %q, %v; want %d", m.Sequence, m.Payload, err, want)
		}
	}
	for _, want := range order { // also what came twice: the first acknowledgement may have been lost
		if got := p.acknowledged(); got != want {
			t.Errorf("acknowledged %d, want %d", got, want)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if m, err := c.Next(short); err == nil {
		t.Errorf("message %d came twice", m.Sequence)
	}
}

// TestUnacknowledgedComesAgain holds that what is not acknowledged is sent again, and what is is not.
func TestUnacknowledgedComesAgain(t *testing.T) {
	c := NewChannel(InputStream, OutputStream)
	p := attached(t, c)
	for range 2 {
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	first, second := p.receive(InputStream), p.receive(InputStream)
	if first.Sequence != 0 || second.Sequence != 1 {
		t.Fatalf("sent %d, %d", first.Sequence, second.Sequence)
	}
	acknowledge(p, 1)
	if again := p.receive(InputStream); again.Sequence != 0 || again.ID != first.ID {
		t.Errorf("sent %d again, want 0", again.Sequence)
	}
	acknowledge(p, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if c.Drain(ctx); ctx.Err() != nil {
		t.Error("something is unacknowledged still")
	}
}

func acknowledge(p peer, sequence int64) {
	payload, _ := json.Marshal(acknowledged{Type: InputStream, Sequence: sequence, Sequential: true})
	p.send(Message{Type: Acknowledge, Schema: 1, Created: time.Now(), Flags: 3, Payload: payload})
}

// TestPausedChannelKeepsWhatItHas holds that nothing is sent while the agent is away, and everything after.
func TestPausedChannelKeepsWhatItHas(t *testing.T) {
	c := NewChannel(InputStream, OutputStream)
	p := attached(t, c)
	p.send(Message{Type: PausePublication, Created: time.Now()})
	p.data(0)
	if _, err := c.Next(t.Context()); err != nil { // what came before it is known, then
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("kept")); err != nil {
		t.Fatal(err)
	}
	p.acknowledged()
	time.AfterFunc(20*time.Millisecond, func() { p.send(Message{Type: StartPublication, Created: time.Now()}) })
	if m := p.receive(InputStream); string(m.Payload) != "kept" {
		t.Errorf("%q", m.Payload)
	}
}

func TestClosedChannelSaysWhy(t *testing.T) {
	c := NewChannel(InputStream, OutputStream)
	p := attached(t, c)
	p.data(0)
	payload, _ := json.Marshal(closedContent{Output: "because"})
	p.send(Message{Type: ChannelClosed, Created: time.Now(), Payload: payload})
	if m, err := c.Next(t.Context()); err != nil || m.Sequence != 0 {
		t.Errorf("what came before the end: %v", err)
	}
	_, err := c.Next(t.Context())
	if ended := (*EndedError)(nil); !errors.As(err, &ended) || ended.Said != "because" || !errors.Is(err, ErrEnded) {
		t.Errorf("ended with %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, ErrEnded) {
		t.Errorf("written after the end: %v", err)
	}
}

// TestForgeryEndsTheConnection holds that a message whose payload was changed is not taken.
func TestForgeryEndsTheConnection(t *testing.T) {
	c := NewChannel(InputStream, OutputStream)
	p := attached(t, c)
	m := Message{Type: OutputStream, Created: time.Now(), Kind: Output, Payload: []byte("true")}
	frame := m.Append(nil)
	frame[len(frame)-1]++
	_ = p.WriteMessage(websocket.BinaryMessage, frame)
	_ = p.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, _, err := p.ReadMessage(); err == nil {
		t.Error("the connection goes on")
	}
	select {
	case m := <-c.incoming:
		t.Errorf("%q was taken", m.Payload)
	default:
	}
}

func TestSettle(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct{ trip, varies, measured, newTrip, newVaries, timeout time.Duration }{
		{100 * ms, 0, 100 * ms, 100 * ms, 0, 110 * ms},                     // never closer than the clock's grain
		{100 * ms, 0, 20 * ms, 90 * ms, 20 * ms, 170 * ms},                 // it varies
		{100 * ms, 40 * ms, 180 * ms, 110 * ms, 50 * ms, 310 * ms},         //
		{100 * ms, 0, 10 * time.Second, 1337500000, 2475 * ms, maxTimeout}, // and never longer than a second
	} {
		trip, varies, timeout := settle(test.trip, test.varies, test.measured)
		if trip != test.newTrip || varies != test.newVaries || timeout != test.timeout {
			t.Errorf("settle(%v, %v, %v) = %v, %v, %v", test.trip, test.varies, test.measured, trip, varies, timeout)
		}
	}
}

func TestAcknowledgedBy(t *testing.T) {
	for text, want := range map[string]int64{
		`{"AcknowledgedMessageType":"x","AcknowledgedMessageSequenceNumber":12,"IsSequentialMessage":true}`:             12,
		`{"AcknowledgedMessageSequenceNumber" : 13}`:                                                                    13,
		`{"AcknowledgedMessageSequenceNumber":14}`:                                                                      14,
		`{"AcknowledgedMessageType":"\"AcknowledgedMessageSequenceNumber\":1","AcknowledgedMessageSequenceNumber": 15}`: 15,
		`{`: -1, `{"AcknowledgedMessageSequenceNumber":"1"}`: -1, ``: -1,
	} {
		got, err := acknowledgedBy([]byte(text))
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%s: %d, %v, want %d", text, got, err, want)
		}
	}
}
