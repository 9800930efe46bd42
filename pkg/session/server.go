package session

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// Upgrade makes a connection of a client's request, for who stands in for the service, and reads the client's first message.
func Upgrade(w http.ResponseWriter, r *http.Request) (*websocket.Conn, OpenChannel, error) {
	var hello OpenChannel
	upgrader := websocket.Upgrader{ReadBufferSize: 64 << 10, WriteBufferSize: 4 << 10, HandshakeTimeout: 10 * time.Second}
	conn, err := upgrader.Upgrade(gathering{w}, r, nil)
	if err != nil {
		return nil, hello, err
	}
	conn.SetReadLimit(maxMessage)
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	kind, data, err := conn.ReadMessage()
	switch {
	case err != nil:
	case kind != websocket.TextMessage:
		err = fmt.Errorf("the first message is not a text")
	default:
		err = json.Unmarshal(data, &hello)
	}
	if err != nil {
		conn.Close()
		return nil, hello, fmt.Errorf("the client did not open its channel: %w", err)
	}
	return conn, hello, nil
}

// gathering hands out the connection of a response so that its writes are gathered.
type gathering struct{ http.ResponseWriter }

// Hijack is http.Hijacker's.
func (g gathering) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(g.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return newBatched(conn), buffers, nil
}

// Greet is the agent's half of the handshake, without encryption: it asks for the session's type and returns what the client answered.
func Greet(agentVersion, kind string, properties any) ([]byte, error) {
	encoded, err := json.Marshal(properties)
	if err != nil {
		return nil, err
	}
	parameters, err := json.Marshal(SessionType{SessionType: kind, Properties: encoded})
	if err != nil {
		return nil, err
	}
	return json.Marshal(Handshake{AgentVersion: agentVersion,
		RequestedClientActions: []RequestedAction{{ActionType: ActionSessionType, ActionParameters: parameters}}})
}
