package reach

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/org/connect2/v2/pkg/action"
)

// bySSH forwards by SSH.
func (t *tunnel) bySSH(ctx context.Context, w Way, b bastion) error {
	host := cmp.Or(w.SSHHost, b.publicIP)
	if host == "" {
		return &action.Error{Outcome: action.Invalid, Title: "The bastion has no public address",
			Err:    fmt.Errorf("the bastion %s has no public address to connect to by SSH", b.label()),
			Advice: "Leave --ssh-key out to go by Session Manager, or say the address with --ssh-host."}
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(host, "22")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return action.Invalidf("find ~/.ssh/known_hosts: %w", err)
	}
	config, err := sshConfig(w.SSHUser, w.SSHKey, filepath.Join(home, ".ssh", "known_hosts"))
	if err != nil {
		return &action.Error{Outcome: action.Invalid, Title: "SSH cannot be used", Err: err}
	}
	r := &shell{address: host, config: config, tell: t.env.Events.Notef}
	if _, err := r.current(ctx); err != nil {
		return &action.Error{Outcome: action.Failed, Title: "The bastion could not be reached by SSH", Err: err}
	}
	t.through = b.label()
	t.dial = func(ctx context.Context) (io.ReadWriteCloser, error) { return r.dial(ctx, t.login.address()) }
	t.close = r.close
	return nil
}

// sshConfig reads the key and the known hosts. A host that is not among them is refused.
func sshConfig(user, key, known string) (*ssh.ClientConfig, error) {
	text, err := os.ReadFile(key)
	if err != nil {
		return nil, fmt.Errorf("ssh-key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		return nil, fmt.Errorf("ssh-key: %s is protected by a passphrase: take one without, or go by Session Manager", key)
	}
	if err != nil {
		return nil, fmt.Errorf("ssh-key: %s is not a private key: %w", key, err)
	}
	check, err := knownhosts.New(known)
	if err != nil {
		return nil, fmt.Errorf("read the known hosts: %w: connect once with ssh, which writes that file", err)
	}
	return &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, Timeout: 10 * time.Second,
		HostKeyCallback: func(host string, remote net.Addr, key ssh.PublicKey) error {
			err := check(host, remote, key)
			if found := (*knownhosts.KeyError)(nil); errors.As(err, &found) {
				if len(found.Want) == 0 {
					return fmt.Errorf("the host key of %s is not in %s (%s): connect once with ssh, and compare it", host, known,
						ssh.FingerprintSHA256(key))
				}
				return fmt.Errorf("the host key of %s is another than in %s (%s): somebody may be in between, or the instance was replaced",
					host, known, ssh.FingerprintSHA256(key))
			}
			return err
		},
	}, nil
}

// sshKeepAlive is how often a silent connection is asked whether it is there.
const sshKeepAlive = 30 * time.Second

// shell is a connection by SSH that is made again when it was lost.
type shell struct {
	address string
	config  *ssh.ClientConfig
	tell    func(format string, args ...any)

	mu     sync.Mutex
	client *ssh.Client
	lost   chan struct{}
}

func (s *shell) current(ctx context.Context) (*ssh.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		select {
		case <-s.lost:
			s.tell("The connection to %s was lost: connecting again", s.address)
		default:
			return s.client, nil
		}
	}
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.address, err)
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	c, channels, requests, err := ssh.NewClientConn(conn, s.address, s.config)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("log in to %s as %s: %w", s.address, s.config.User, err)
	}
	_ = conn.SetDeadline(time.Time{})
	client, lost := ssh.NewClient(c, channels, requests), make(chan struct{})
	s.client, s.lost = client, lost
	go func() { _ = client.Wait(); close(lost) }()
	go func() {
		ticker := time.NewTicker(sshKeepAlive)
		defer ticker.Stop()
		for {
			select {
			case <-lost:
				return
			case <-ticker.C:
				answered := time.AfterFunc(sshKeepAlive/2, func() { client.Close() })
				_, _, _ = client.SendRequest("keepalive@openssh.com", true, nil)
				answered.Stop()
			}
		}
	}()
	return client, nil
}

// dial opens a connection to an address behind the bastion.
func (s *shell) dial(ctx context.Context, address string) (io.ReadWriteCloser, error) {
	client, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	return client.DialContext(ctx, "tcp", address)
}

func (s *shell) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		s.client.Close()
	}
}
