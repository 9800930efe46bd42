package reach

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func keyPair(t testing.TB) (ssh.Signer, []byte) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return signer, pem.EncodeToMemory(block)
}

// bastionBySSH is a server that forwards to any address, for one key. It returns its address, its host key, and what cuts its connections.
func bastionBySSH(t testing.TB, allowed ssh.PublicKey) (address string, host ssh.PublicKey, cut func()) {
	t.Helper()
	signer, _ := keyPair(t)
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !bytes.Equal(key.Marshal(), allowed.Marshal()) {
			return nil, io.EOF
		}
		return nil, nil
	}}
	config.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	conns := make(chan net.Conn, 8)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns <- conn
			go func() {
				_, channels, requests, err := ssh.NewServerConn(conn, config)
				if err != nil {
					return
				}
				go ssh.DiscardRequests(requests)
				for channel := range channels {
					go direct(channel)
				}
			}()
		}
	}()
	return listener.Addr().String(), signer.PublicKey(), func() { (<-conns).Close() }
}

// direct serves a connection that is forwarded.
func direct(asked ssh.NewChannel) {
	var to struct {
		Host   string
		Port   uint32
		Origin string
		From   uint32
	}
	if err := ssh.Unmarshal(asked.ExtraData(), &to); err != nil || asked.ChannelType() != "direct-tcpip" {
		_ = asked.Reject(ssh.UnknownChannelType, "")
		return
	}
	conn, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.ParseIP(to.Host), Port: int(to.Port)})
	if err != nil {
		_ = asked.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	channel, requests, err := asked.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	go func() { _, _ = io.Copy(channel, conn); _ = channel.CloseWrite() }()
	_, _ = io.Copy(conn, channel)
	_ = conn.CloseWrite()
}

// sshWay writes a key and known hosts, and returns a connection that is not made yet.
func sshWay(t testing.TB, known ssh.PublicKey, address string, key []byte) *shell {
	t.Helper()
	folder := t.TempDir()
	keyFile, hosts := filepath.Join(folder, "key"), filepath.Join(folder, "known_hosts")
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		t.Fatal(err)
	}
	line := ""
	if known != nil {
		line = knownhosts.Line([]string{address}, known) + "\n"
	}
	if err := os.WriteFile(hosts, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := sshConfig("ec2-user", keyFile, hosts)
	if err != nil {
		t.Fatal(err)
	}
	s := &shell{address: address, config: config, tell: func(string, ...any) {}}
	t.Cleanup(s.close)
	return s
}

func TestSSHConnectsAgain(t *testing.T) {
	signer, key := keyPair(t)
	address, host, cut := bastionBySSH(t, signer.PublicKey())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); conn.Close() }()
		}
	}()
	s := sshWay(t, host, address, key)
	for range 2 {
		conn, err := s.dial(t.Context(), listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte("hello"))
		answer := make([]byte, 5)
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "hello" {
			t.Errorf("%q, %v", answer, err)
		}
		cut()
		<-s.lost
	}
}

func TestSSHRefusesWhatItDoesNotKnow(t *testing.T) {
	signer, key := keyPair(t)
	stranger, strange := keyPair(t)
	address, host, _ := bastionBySSH(t, signer.PublicKey())
	for name, test := range map[string]struct {
		known ssh.PublicKey
		key   []byte
		want  string
	}{
		"a host that is not known": {nil, key, "is not in"},
		"another host":             {stranger.PublicKey(), key, "is another than in"},
		"another key of one's own": {host, strange, "log in to"},
	} {
		s := sshWay(t, test.known, address, test.key)
		if _, err := s.current(context.Background()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "key")
	for text, want := range map[string]string{"": "is not a private key", "x": "is not a private key"} {
		_ = os.WriteFile(file, []byte(text), 0o600)
		if _, err := sshConfig("u", file, file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := sshConfig("u", filepath.Join(folder, "none"), file); err == nil || !strings.HasPrefix(err.Error(), "ssh-key: ") {
		t.Errorf("%v", err)
	}
}

// BenchmarkSSH measures one direction of a connection that goes by SSH, over loopback, with both of its ends in this process.
//
//	go test ./pkg/reach -run '^$' -bench SSH -benchtime 3s
func BenchmarkSSH(b *testing.B) {
	signer, key := keyPair(b)
	address, host, _ := bastionBySSH(b, signer.PublicKey())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	s := sshWay(b, host, address, key)
	local, err := s.dial(b.Context(), listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	remote, err := listener.Accept()
	if err != nil {
		b.Fatal(err)
	}
	defer remote.Close()
	data := make([]byte, 1<<20)
	b.SetBytes(int64(len(data)))
	go func() {
		for {
			if _, err := remote.Write(data); err != nil {
				return
			}
		}
	}()
	for b.Loop() {
		if _, err := io.CopyN(io.Discard, local, int64(len(data))); err != nil {
			b.Fatal(err)
		}
	}
}
