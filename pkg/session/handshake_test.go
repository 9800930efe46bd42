package session

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func request(actions ...RequestedAction) []byte {
	payload, _ := json.Marshal(Handshake{AgentVersion: "3.2.0.0", RequestedClientActions: actions})
	return payload
}

func TestHandshakeAnswers(t *testing.T) {
	key := make([]byte, 64)
	_, _ = rand.Read(key)
	keys := func(_ context.Context, id string) ([]byte, []byte, error) {
		if id != "the-key" {
			return nil, nil, errors.New("denied")
		}
		return key, []byte("sealed"), nil
	}
	kind := func(name string) RequestedAction {
		return RequestedAction{ActionSessionType, json.RawMessage(`{"SessionType":"` + name + `","Properties":{"portNumber":"5432"}}`)}
	}
	encryption := func(key string) RequestedAction {
		return RequestedAction{ActionEncryption, json.RawMessage(`{"KMSKeyId":"` + key + `"}`)}
	}
	for _, test := range []struct {
		name    string
		payload []byte
		keys    DataKey
		want    string // of the error
		status  int    // of the last action
	}{
		{"a port", request(kind(TypePort)), nil, "", 1},
		{"a shell", request(kind(TypeShell)), nil, "", 1},
		{"a type that is not known", request(kind("Video")), nil, `type "Video"`, 2},
		{"an action that is not known", request(kind(TypeShell), RequestedAction{"Dance", nil}), nil, `"Dance"`, 3},
		{"encrypted", request(kind(TypeShell), encryption("the-key")), keys, "", 1},
		{"encrypted, with a key that may not be used", request(encryption("other")), keys, "make a data key with the KMS key other: denied", 2},
		{"encrypted, and no way to", request(encryption("the-key")), nil, "which this client cannot use", 2},
		{"not JSON", []byte("{"), nil, "cannot be read", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			var g greeting
			answer, err := g.answer(t.Context(), test.payload, test.keys)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if n := len(answer.ProcessedClientActions); n > 0 && answer.ProcessedClientActions[n-1].ActionStatus != test.status {
				t.Errorf("%+v, want status %d", answer, test.status)
			}
			if (len(answer.Errors) > 0) != (test.want != "" && test.status != 0) {
				t.Errorf("the agent is told %q", answer.Errors)
			}
		})
	}
}

// TestEncryptedSession plays an agent that encrypts: the challenge, and data both ways, none of it readable on the wire.
func TestEncryptedSession(t *testing.T) {
	key := make([]byte, 64)
	_, _ = rand.Read(key)
	agent, err := newSealer(key, true)
	if err != nil {
		t.Fatal(err)
	}
	s := &Session{Channel: NewChannel(InputStream, OutputStream), closed: make(chan struct{})}
	p := attached(t, s.Channel)
	next := int64(0)
	say := func(kind Payload, payload []byte) {
		p.send(Message{Type: OutputStream, Schema: 1, Created: time.Now(), Sequence: next, Kind: kind, Payload: payload})
		next++
	}
	shaken := make(chan error, 1)
	go func() {
		shaken <- s.shake(t.Context(), func(context.Context, string) ([]byte, []byte, error) { return key, []byte("sealed"), nil })
	}()
	say(HandshakeRequest, request(RequestedAction{ActionEncryption, json.RawMessage(`{"KMSKeyId":"k"}`)},
		RequestedAction{ActionSessionType, json.RawMessage(`{"SessionType":"Standard_Stream"}`)}))
	if m := p.receive(InputStream); m.Kind != HandshakeResponse || !bytes.Contains(m.Payload, []byte(`"KMSCipherTextKey":"c2VhbGVk"`)) {
		t.Fatalf("answered %s", m.Payload)
	}
	asked, _ := json.Marshal(challenge{agent.seal([]byte("riddle"))})
	say(ChallengeRequest, asked)
	var answered challenge
	if err := json.Unmarshal(p.receive(InputStream).Payload, &answered); err != nil {
		t.Fatal(err)
	}
	if plain, err := agent.open(answered.Challenge); err != nil || string(plain) != "riddle" {
		t.Fatalf("the challenge came back as %q, %v", plain, err)
	}
	say(HandshakeComplete, []byte(`{"CustomerMessage":"be careful"}`))
	if err := <-shaken; err != nil || s.Said != "be careful" || s.Kind != TypeShell {
		t.Fatalf("%v, %q, %q", err, s.Said, s.Kind)
	}
	say(Output, agent.seal([]byte("hello")))
	if m, err := s.Next(t.Context()); err != nil || string(m.Payload) != "hello" {
		t.Errorf("%q, %v", m.Payload, err)
	}
	if _, err := s.Write([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	if m := p.receive(InputStream); bytes.Contains(m.Payload, []byte("answer")) {
		t.Error("it went out as it is")
	} else if plain, err := agent.open(m.Payload); err != nil || string(plain) != "answer" {
		t.Errorf("%q, %v", plain, err)
	}
	say(Output, []byte("forged, and not encrypted at all"))
	if _, err := s.Next(t.Context()); err == nil {
		t.Error("data that is not encrypted was taken")
	}
}

// TestAgentWithoutHandshake begins with its output, as agents before 2.3 do.
func TestAgentWithoutHandshake(t *testing.T) {
	s := &Session{Channel: NewChannel(InputStream, OutputStream), closed: make(chan struct{})}
	p := attached(t, s.Channel)
	p.data(0)
	if err := s.shake(t.Context(), nil); err != nil || s.Kind != TypeShell {
		t.Fatalf("%v, %q", err, s.Kind)
	}
	if m, err := s.Next(t.Context()); err != nil || string(m.Payload) != "0" {
		t.Errorf("%q, %v", m.Payload, err)
	}
	if _, err := NewPorts(s, nil); err == nil {
		t.Error("a shell forwards ports")
	}
	s.Kind, s.AgentVersion = TypePort, "3.0.0.0"
	if _, err := NewPorts(s, nil); err == nil || !strings.Contains(err.Error(), "Update amazon-ssm-agent") {
		t.Errorf("an old agent: %v", err)
	}
}
