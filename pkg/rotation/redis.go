package rotation

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// RedisRotator rotates the auth token of an ElastiCache replication group.
//
// A group accepts at most two tokens: the newest, and the one before it (see ReplicationGroup). So the token that running
// tasks have read plays the part that the other user plays in a database: it works until the next rotation.
type RedisRotator struct {
	Rotator // Secrets, Service, Poll and Logf alone
	Cache   Cache
	// Login authenticates with the token of the URL. It returns ErrWrongToken when the server refuses the token.
	Login func(ctx context.Context, url string) error
}

// Cache is the replication group.
type Cache interface {
	// Available tells whether the group takes a change: it takes one at a time.
	Available(ctx context.Context) (bool, error)
	// AddToken makes token the newest, valid beside the one that was the newest before. Any older one stops to be.
	AddToken(ctx context.Context, token string) error
}

var (
	// ErrWrongToken is returned by a login whose token the server refuses.
	ErrWrongToken = errors.New("the server refuses the token")
	// ErrCacheBusy is returned by a Cache that is being changed by somebody else just now.
	ErrCacheBusy = errors.New("the replication group is being changed")
)

// RedisCredentials are the keys of the secret.
type RedisCredentials struct {
	URL      string `json:"url"`
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Password string `json:"password"`
}

// Handle does one step.
func (r *RedisRotator) Handle(ctx context.Context, event Event) error {
	return r.handle(ctx, event, work{next: r.nextCredentials, set: r.set, test: r.test})
}

// nextCredentials are the current ones with a new token.
func (r *RedisRotator) nextCredentials(ctx context.Context, event Event) (any, error) {
	next, err := r.read(ctx, event.SecretID, "", current)
	if err != nil {
		return nil, err
	}
	if next.Password, err = newPassword(); err != nil {
		return nil, fmt.Errorf("make a token: %w", err)
	}
	// A token goes over TLS only: ElastiCache has none without it.
	u := url.URL{Scheme: "rediss", User: url.UserPassword("", next.Password), Host: net.JoinHostPort(next.Host, strconv.Itoa(next.Port))}
	next.URL = u.String()
	return next, nil
}

// set makes the pending token valid beside the current one.
func (r *RedisRotator) set(ctx context.Context, event Event) error {
	now, next, err := r.both(ctx, event)
	if err != nil {
		return err
	}
	if err := r.wait(ctx); err != nil {
		return err
	}
	switch err := r.Login(ctx, next.URL); {
	case err == nil:
		return r.keep(ctx, now) // a repeated call
	case !errors.Is(err, ErrWrongToken):
		return fmt.Errorf("log in to %s:%d with the pending token: %w", next.Host, next.Port, err)
	}
	// A current token that is refused means that somebody has changed it by hand. Setting it would lock out whoever has theirs.
	if err := r.current(ctx, now); err != nil {
		return err
	}
	// Of the two tokens that are valid the addition ends the older one. That is the current one where the last rotation was
	// taken back: it is made the newest first.
	back, err := r.takenBack(ctx, event)
	if err != nil {
		return err
	}
	if back {
		if err := r.change(ctx, now.Password); err != nil {
			return fmt.Errorf("make the current token the newest, since the last rotation was taken back: %w", err)
		}
	}
	if err := r.change(ctx, next.Password); err != nil {
		return fmt.Errorf("add the pending token: %w", err)
	}
	return r.keep(ctx, now)
}

// takenBack tells whether the version before the current one is the younger of the two.
func (r *RedisRotator) takenBack(ctx context.Context, event Event) (bool, error) {
	before, err := r.Secrets.Written(ctx, event.SecretID, previous)
	if errors.Is(err, ErrNoVersion) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read when %s of %s was written: %w", previous, event.SecretID, err)
	}
	now, err := r.Secrets.Written(ctx, event.SecretID, current)
	if err != nil {
		return false, fmt.Errorf("read when %s of %s was written: %w", current, event.SecretID, err)
	}
	return before.After(now), nil
}

// keep is called when the pending token is valid. If the current one is not, it was the older of two without the secret
// showing it, as after a rotation whose pending version somebody threw away: it is added again, beside the pending one.
func (r *RedisRotator) keep(ctx context.Context, now RedisCredentials) error {
	err := r.current(ctx, now)
	if !errors.Is(err, ErrWrongToken) {
		return err
	}
	r.logf("the current token was the older of two: adding it again")
	if err := r.change(ctx, now.Password); err != nil {
		return fmt.Errorf("add the current token again: %w", err)
	}
	return r.current(ctx, now)
}

// test logs in with both tokens: the pending one is for the tasks to come, the current one for those that run.
func (r *RedisRotator) test(ctx context.Context, event Event) error {
	now, next, err := r.both(ctx, event)
	if err != nil {
		return err
	}
	if err := r.Login(ctx, next.URL); err != nil {
		return fmt.Errorf("log in to %s:%d with the pending token: %w", next.Host, next.Port, err)
	}
	return r.current(ctx, now)
}

func (r *RedisRotator) current(ctx context.Context, now RedisCredentials) error {
	if err := r.Login(ctx, now.URL); err != nil {
		return fmt.Errorf("log in to %s:%d with the current token, which running tasks use: %w", now.Host, now.Port, err)
	}
	return nil
}

// both reads the current and the pending version. The pending one must not lead a token to another host.
func (r *RedisRotator) both(ctx context.Context, event Event) (now, next RedisCredentials, err error) {
	if now, err = r.read(ctx, event.SecretID, "", current); err != nil {
		return now, next, err
	}
	if next, err = r.read(ctx, event.SecretID, event.ClientRequestToken, pending); err != nil {
		return now, next, err
	}
	if next.Host != now.Host || next.Port != now.Port {
		return now, next, fmt.Errorf("the pending version leads to another server than the current one: %s:%d", next.Host, next.Port)
	}
	return now, next, nil
}

// change adds a token. It waits for the group before and after that, and asks again when somebody else's change came in between.
func (r *RedisRotator) change(ctx context.Context, token string) error {
	for {
		if err := r.wait(ctx); err != nil {
			return err
		}
		err := r.Cache.AddToken(ctx, token)
		if err == nil {
			return r.wait(ctx)
		}
		if !errors.Is(err, ErrCacheBusy) {
			return err
		}
		if err := r.pause(ctx); err != nil {
			return err
		}
	}
}

func (r *RedisRotator) wait(ctx context.Context) error {
	for {
		available, err := r.Cache.Available(ctx)
		if err != nil {
			return fmt.Errorf("look at the replication group: %w", err)
		}
		if available {
			return nil
		}
		r.logf("the replication group is being changed: waiting")
		if err := r.pause(ctx); err != nil {
			return err
		}
	}
}

func (r *RedisRotator) pause(ctx context.Context) error {
	poll := r.Poll
	if poll == 0 {
		poll = 15 * time.Second
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("the replication group was still being changed when the time was over; the current token works, and a repeated call "+
			"goes on from here: %w", ctx.Err())
	case <-time.After(poll):
		return nil
	}
}

func (r *RedisRotator) read(ctx context.Context, secret, token, label string) (RedisCredentials, error) {
	value, err := r.Secrets.Get(ctx, secret, token, label)
	if err != nil {
		return RedisCredentials{}, fmt.Errorf("read %s of %s: %w", label, secret, err)
	}
	var c RedisCredentials
	if err := json.Unmarshal([]byte(value), &c); err != nil {
		// without the error: it may quote the value
		return RedisCredentials{}, fmt.Errorf("%s of %s is not the JSON of a connection", label, secret)
	}
	if c.Host == "" || c.Port == 0 || c.Password == "" {
		return RedisCredentials{}, fmt.Errorf("%s of %s lacks host, port or password: only a cache with TLS has a token to rotate", label, secret)
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "rediss" || u.Host != net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) {
		// without the url: it has the token
		return RedisCredentials{}, fmt.Errorf("the url in %s of %s is not that of its host and port under rediss", label, secret)
	}
	return c, nil
}

// loginLimit is what a login may last at most.
const loginLimit = 10 * time.Second

// LoginRedis authenticates over TLS with the password of the URL and asks for a sign of life. trust is nil for the
// system's certificates.
func LoginRedis(ctx context.Context, address string, trust *tls.Config) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("the url cannot be read") // without the error: it quotes the URL
	}
	ctx, cancel := context.WithTimeout(ctx, loginLimit)
	defer cancel()
	client := redis.NewClient(&redis.Options{
		Addr: u.Host,
		Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
			return (&tls.Dialer{Config: trust}).DialContext(ctx, network, address)
		},
		// One connection, and each thing is tried once: whoever calls knows whether to try again.
		PoolSize: 1, DialerRetries: 1, MaxRetries: -1,
		DialTimeout: loginLimit, ReadTimeout: loginLimit, WriteTimeout: loginLimit, ContextTimeoutEnabled: true,
		// Nothing is said that a server need not know: no name of the library, no subscription.
		Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer client.Close()
	conn := client.Conn()
	defer conn.Close()
	// The password is not the client's option: that would send it twice, and count twice as a failed login.
	password, _ := u.User.Password()
	switch err := conn.Auth(ctx, password).Err(); {
	case redis.HasErrorPrefix(err, "WRONGPASS"), redis.HasErrorPrefix(err, "invalid password"):
		return ErrWrongToken
	case err != nil && password != "" && strings.Contains(err.Error(), password):
		return errors.New("AUTH failed, and the server's words have the token in them")
	case err != nil:
		return fmt.Errorf("AUTH: %w", err)
	}
	if err := conn.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("PING: %w", err)
	}
	return nil
}
