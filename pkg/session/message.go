package session

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Types of messages.
const (
	InputStream      = "input_stream_data"  // from the client
	OutputStream     = "output_stream_data" // from the agent
	Acknowledge      = "acknowledge"
	ChannelClosed    = "channel_closed"
	StartPublication = "start_publication" // the other end is there: stream messages may be sent
	PausePublication = "pause_publication" // it is not: they may not
)

// Payload says what a stream message carries.
type Payload uint32

// What stream messages carry.
const (
	Output            Payload = 1
	Error             Payload = 2
	Size              Payload = 3
	Parameter         Payload = 4
	HandshakeRequest  Payload = 5
	HandshakeResponse Payload = 6
	HandshakeComplete Payload = 7
	ChallengeRequest  Payload = 8
	ChallengeResponse Payload = 9
	Flag              Payload = 10
	StdErr            Payload = 11
	ExitCode          Payload = 12
)

// Flags that a message with the payload Flag carries, as four bytes.
const (
	DisconnectToPort   uint32 = 1
	TerminateSession   uint32 = 2
	ConnectToPortError uint32 = 3
)

// Message is one message of a data channel.
type Message struct {
	Type     string // at most 32 bytes
	Schema   uint32
	Created  time.Time // to the millisecond
	Sequence int64
	Flags    uint64 // bit 0: the first of a stream; bit 1: the last
	ID       UUID
	Kind     Payload
	Payload  []byte
}

// UUID is the id of a message.
type UUID [16]byte

// String writes it with hyphens.
func (u UUID) String() string {
	var b [36]byte
	hex.Encode(b[:8], u[:4])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:], u[10:])
	return string(b[:])
}

// NewUUID makes a random one.
func NewUUID() (u UUID) {
	_, _ = rand.Read(u[:]) // never fails: the documentation of crypto/rand
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

// Where the fields of a message are. All numbers are big-endian; the header's length counts what stands before the payload's
// length, which has four bytes more.
const (
	atType     = 4
	typeLength = 32
	atSchema   = atType + typeLength
	atCreated  = atSchema + 4
	atSequence = atCreated + 8
	atFlags    = atSequence + 8
	atID       = atFlags + 8
	atDigest   = atID + 16
	atKind     = atDigest + sha256.Size
	atLength   = atKind + 4
	atPayload  = atLength + 4
)

// maxMessage bounds a message that is taken: AWS's carry 1,024 bytes, handshakes a few thousand.
const maxMessage = 1 << 20

// Append appends the message as bytes. It panics on a type that is too long, which is a defect.
func (m *Message) Append(to []byte) []byte {
	if len(m.Type) > typeLength {
		panic("session: the message type " + m.Type + " has more than 32 bytes")
	}
	to = binary.BigEndian.AppendUint32(to, atLength)
	to = append(to, m.Type...)
	for range typeLength - len(m.Type) {
		to = append(to, ' ')
	}
	to = binary.BigEndian.AppendUint32(to, m.Schema)
	to = binary.BigEndian.AppendUint64(to, uint64(m.Created.UnixMilli()))
	to = binary.BigEndian.AppendUint64(to, uint64(m.Sequence))
	to = binary.BigEndian.AppendUint64(to, m.Flags)
	to = append(to, m.ID[8:]...) // the less significant half comes first
	to = append(to, m.ID[:8]...)
	digest := sha256.Sum256(m.Payload)
	to = append(to, digest[:]...)
	to = binary.BigEndian.AppendUint32(to, uint32(m.Kind))
	to = binary.BigEndian.AppendUint32(to, uint32(len(m.Payload)))
	return append(to, m.Payload...)
}

var errDigest = errors.New("the payload is not the one that its digest is of")

// Parse reads a message. Its payload is a part of data.
func Parse(data []byte) (Message, error) {
	if len(data) < atPayload {
		return Message{}, fmt.Errorf("a message of %d bytes is shorter than a header", len(data))
	}
	header := binary.BigEndian.Uint32(data)
	if header < atLength || int64(header)+4 > int64(len(data)) {
		return Message{}, fmt.Errorf("a message of %d bytes says that its header has %d", len(data), header)
	}
	m := Message{
		Type:     strings.Trim(string(data[atType:atSchema]), " \x00"),
		Schema:   binary.BigEndian.Uint32(data[atSchema:]),
		Created:  time.UnixMilli(int64(binary.BigEndian.Uint64(data[atCreated:]))),
		Sequence: int64(binary.BigEndian.Uint64(data[atSequence:])),
		Flags:    binary.BigEndian.Uint64(data[atFlags:]),
		Kind:     Payload(binary.BigEndian.Uint32(data[atKind:])),
		Payload:  data[header+4:],
	}
	copy(m.ID[8:], data[atID:])
	copy(m.ID[:8], data[atID+8:])
	switch length := binary.BigEndian.Uint32(data[header:]); {
	case m.Type == "":
		return Message{}, errors.New("a message without a type")
	case m.Type == StartPublication || m.Type == PausePublication: // AWS checks no more of these either
	case int64(length) != int64(len(m.Payload)):
		return Message{}, fmt.Errorf("a message says that its payload has %d bytes, and it has %d", length, len(m.Payload))
	case length > 0:
		if digest := sha256.Sum256(m.Payload); !bytes.Equal(digest[:], data[atDigest:atKind]) {
			return Message{}, errDigest
		}
	}
	return m, nil
}
