package session

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Types of sessions, as the handshake names them.
const (
	TypeShell          = "Standard_Stream"
	TypeInteractive    = "InteractiveCommands"
	TypeNonInteractive = "NonInteractiveCommands"
	TypePort           = "Port"
)

// Actions that an agent asks a client for.
const (
	ActionSessionType = "SessionType"
	ActionEncryption  = "KMSEncryption"
)

// Whether a client did what it was asked for.
const (
	statusSuccess     = 1
	statusFailed      = 2
	statusUnsupported = 3
)

// ClientVersion is the version of AWS's client whose behaviour this one has: agents decide by it what they may use.
const ClientVersion = "1.2.707.0"

// Handshake is an agent's request.
type Handshake struct {
	AgentVersion           string            `json:"AgentVersion"`
	RequestedClientActions []RequestedAction `json:"RequestedClientActions"`
}

// RequestedAction is one thing that an agent asks for.
type RequestedAction struct {
	ActionType       string          `json:"ActionType"`
	ActionParameters json.RawMessage `json:"ActionParameters"`
}

// SessionType is what ActionSessionType says.
type SessionType struct {
	SessionType string          `json:"SessionType"`
	Properties  json.RawMessage `json:"Properties"`
}

// HandshakeAnswer is a client's response.
type HandshakeAnswer struct {
	ClientVersion          string            `json:"ClientVersion"`
	ProcessedClientActions []ProcessedAction `json:"ProcessedClientActions"`
	Errors                 []string          `json:"Errors"`
}

// ProcessedAction is what became of a requested one.
type ProcessedAction struct {
	ActionType   string `json:"ActionType"`
	ActionStatus int    `json:"ActionStatus"`
	ActionResult any    `json:"ActionResult"`
	Error        string `json:"Error"`
}

// Completed ends the handshake.
type Completed struct {
	HandshakeTimeToComplete int64  `json:"HandshakeTimeToComplete"`
	CustomerMessage         string `json:"CustomerMessage"`
}

type challenge struct {
	Challenge []byte `json:"Challenge"`
}

// OpenChannel is the first message on a connection, as text: it shows the service the session's token.
type OpenChannel struct {
	MessageSchemaVersion string `json:"MessageSchemaVersion"`
	RequestID            string `json:"RequestId"`
	TokenValue           string `json:"TokenValue"`
	ClientID             string `json:"ClientId"`
	ClientVersion        string `json:"ClientVersion"`
}

// DataKey makes a key of 64 bytes under a key of KMS, as it is and sealed, for the session: kms:GenerateDataKey.
type DataKey func(ctx context.Context, keyID string) (plain, sealed []byte, err error)

// greeting is what a client learns in a handshake.
type greeting struct {
	agent      string
	kind       string
	properties json.RawMessage
	cipher     *sealer // nil: the data is not encrypted beyond TLS
}

// answer answers an agent's request. An error is told to the agent too: it ends the session.
func (g *greeting) answer(ctx context.Context, payload []byte, dataKey DataKey) (HandshakeAnswer, error) {
	out := HandshakeAnswer{ClientVersion: ClientVersion, ProcessedClientActions: []ProcessedAction{}}
	var request Handshake
	if err := json.Unmarshal(payload, &request); err != nil {
		return out, fmt.Errorf("the agent's handshake cannot be read: %w", err)
	}
	g.agent = request.AgentVersion
	var problems []error
	for _, asked := range request.RequestedClientActions {
		done := ProcessedAction{ActionType: asked.ActionType, ActionStatus: statusSuccess}
		var err error
		switch asked.ActionType {
		case ActionSessionType:
			err = g.settle(asked.ActionParameters)
		case ActionEncryption:
			done.ActionResult, err = g.encrypt(ctx, asked.ActionParameters, dataKey)
		default:
			done.ActionStatus, err = statusUnsupported, fmt.Errorf("the agent asks for %q, which this client does not know", asked.ActionType)
		}
		if err != nil {
			if done.ActionStatus == statusSuccess {
				done.ActionStatus = statusFailed
			}
			done.Error = err.Error()
			problems = append(problems, err)
			out.Errors = append(out.Errors, err.Error())
		}
		out.ProcessedClientActions = append(out.ProcessedClientActions, done)
	}
	return out, errors.Join(problems...)
}

func (g *greeting) settle(parameters json.RawMessage) error {
	var asked SessionType
	if err := json.Unmarshal(parameters, &asked); err != nil {
		return fmt.Errorf("the session's type cannot be read: %w", err)
	}
	switch asked.SessionType {
	case TypeShell, TypeInteractive, TypeNonInteractive, TypePort:
		g.kind, g.properties = asked.SessionType, asked.Properties
		return nil
	default:
		return fmt.Errorf("the agent starts a session of the type %q, which this client does not know", asked.SessionType)
	}
}

func (g *greeting) encrypt(ctx context.Context, parameters json.RawMessage, dataKey DataKey) (any, error) {
	var asked struct {
		KMSKeyID string `json:"KMSKeyId"`
	}
	if err := json.Unmarshal(parameters, &asked); err != nil {
		return nil, fmt.Errorf("the encryption that the agent asks for cannot be read: %w", err)
	}
	if dataKey == nil {
		return nil, fmt.Errorf("the session is to be encrypted with the KMS key %s, which this client cannot use", asked.KMSKeyID)
	}
	plain, sealed, err := dataKey(ctx, asked.KMSKeyID)
	if err != nil {
		return nil, fmt.Errorf("make a data key with the KMS key %s: %w", asked.KMSKeyID, err)
	}
	if g.cipher, err = newSealer(plain, false); err != nil {
		return nil, err
	}
	return struct {
		KMSCipherTextKey  []byte `json:"KMSCipherTextKey"`
		KMSCipherTextHash []byte `json:"KMSCipherTextHash"`
	}{KMSCipherTextKey: sealed}, nil
}

// sealer encrypts what one end sends and decrypts what it takes: AES-GCM, with half of the data key for each direction.
type sealer struct{ seals, opens cipher.AEAD }

func newSealer(key []byte, agent bool) (*sealer, error) {
	if len(key) != 64 {
		return nil, fmt.Errorf("the data key has %d bytes and not 64", len(key))
	}
	fromAgent, err := gcm(key[:32])
	if err != nil {
		return nil, err
	}
	fromClient, err := gcm(key[32:])
	if err != nil {
		return nil, err
	}
	if agent {
		return &sealer{seals: fromAgent, opens: fromClient}, nil
	}
	return &sealer{seals: fromClient, opens: fromAgent}, nil
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func (s *sealer) seal(data []byte) []byte {
	out := make([]byte, s.seals.NonceSize(), s.seals.NonceSize()+len(data)+s.seals.Overhead())
	_, _ = rand.Read(out) // never fails
	return s.seals.Seal(out, out, data, nil)
}

func (s *sealer) open(data []byte) ([]byte, error) {
	n := s.opens.NonceSize()
	if len(data) < n {
		return nil, errors.New("an encrypted payload is shorter than its nonce")
	}
	return s.opens.Open(nil, data[:n], data[n:], nil)
}

// sealed says whether a payload is encrypted in a session that is.
func sealed(kind Payload) bool { return kind == Output || kind == StdErr || kind == ExitCode }

// atLeast compares versions of agents, such as 3.1.1511.0. What cannot be read is older than anything.
func atLeast(version, wanted string) bool {
	have, want := strings.Split(version, "."), strings.Split(wanted, ".")
	for i := range want {
		if i >= len(have) {
			return false
		}
		h, err := strconv.Atoi(have[i])
		w, _ := strconv.Atoi(want[i])
		if err != nil || h < w {
			return false
		}
		if h > w {
			return true
		}
	}
	return true
}
