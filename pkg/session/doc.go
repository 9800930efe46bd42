// Package session speaks the data channel of AWS Systems Manager's Session Manager: the messages that a client and an agent
// exchange over a WebSocket, with their acknowledgements, their resending, the handshake, and what runs on top: a terminal, or
// connections to a port by smux.
//
// It is written after what AWS publishes of the protocol (github.com/aws/session-manager-plugin, Apache-2.0) and makes no call of
// AWS's API itself: who starts a session hands over its address and token, and a function that gets a new token.
//
// [Channel] is either end. [Open] makes a client's session of it; the stand-in's agent is the other user.
package session
