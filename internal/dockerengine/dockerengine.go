// Package dockerengine speaks the Docker engine's HTTP API (https://docs.docker.com/reference/api/engine/), as far as images
// are taken from an engine or handed to it, and containers run on it. Docker's own client would bring ten times the code.
package dockerengine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// DefaultHost is the local engine.
const DefaultHost = "unix:///var/run/docker.sock"

// Client speaks the API unversioned: every engine since 1.24 of it has what is used here. It is safe for concurrent use.
type Client struct {
	host, base string
	http       *http.Client
}

// New returns a client of the engine that host names, as DOCKER_HOST does ("" is the local socket). It does not ask the engine.
func New(host string) (*Client, error) {
	if host == "" {
		host = DefaultHost
	}
	u, err := url.Parse(host)
	if err != nil {
		return nil, fmt.Errorf("the Docker engine's address %q: %w", host, err)
	}
	switch u.Scheme {
	case "unix":
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", u.Path)
		}
		return &Client{host, "http://docker", &http.Client{Transport: &http.Transport{DialContext: dial}}}, nil
	case "tcp", "http":
		return &Client{host, "http://" + u.Host, &http.Client{Transport: &http.Transport{}}}, nil
	default:
		return nil, fmt.Errorf("the Docker engine's address %q: only unix:// and tcp:// without TLS are understood", host)
	}
}

// Close gives idle connections back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Refusal is an answer of the engine that says no.
type Refusal struct {
	Code    int    // the HTTP status
	Status  string // its line: "404 Not Found"
	Message string // the engine's words, or the body of an answer that is not the engine's
	foreign bool   // it is not
}

// Error returns the engine's words, with the status before what is not the engine's.
func (r *Refusal) Error() string {
	if r.foreign {
		return r.Status + ": " + r.Message
	}
	return r.Message
}

// UnansweredError is a request that the engine did not answer: none runs there, or its socket may not be opened.
type UnansweredError struct {
	Host string // as DOCKER_HOST writes it
	Err  error
}

// Error names the engine and the cause, without the path that was asked for.
func (e *UnansweredError) Error() string {
	cause := e.Err
	if request, ok := errors.AsType[*url.Error](cause); ok {
		cause = request.Err
	}
	return fmt.Sprintf("the Docker engine at %s does not answer: %v", e.Host, cause)
}

// Unwrap returns the cause.
func (e *UnansweredError) Unwrap() error { return e.Err }

// Advice says what to do about it.
func (e *UnansweredError) Advice() string {
	if errors.Is(e.Err, os.ErrPermission) {
		return "Run it as a user who may use Docker (as a rule one of the group docker), or name another engine in DOCKER_HOST."
	}
	return "Start Docker, or name an engine that runs in DOCKER_HOST."
}

// IsMissing says whether the engine has not got what was named.
func IsMissing(err error) bool {
	r, ok := errors.AsType[*Refusal](err)
	return ok && r.Code == http.StatusNotFound
}

// call sends a request and returns the answer's body, which the caller closes. 304 is what the engine answers where nothing
// was to be done; anything else but 2xx is a *Refusal.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, kind string, body io.Reader) (io.ReadCloser, error) {
	address := c.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, &UnansweredError{c.host, err}
	}
	if res.StatusCode/100 == 2 || res.StatusCode == http.StatusNotModified {
		return res.Body, nil
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10)) // what can be read of it is the message
	refusal := &Refusal{Code: res.StatusCode, Status: res.Status}
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &said) == nil && said.Message != "" {
		refusal.Message = said.Message
	} else {
		refusal.Message, refusal.foreign = strings.TrimSpace(string(text)), true
	}
	return nil, refusal
}

// do is call for answers that do not matter.
func (c *Client) do(ctx context.Context, method, path string, query url.Values) error {
	body, err := c.call(ctx, method, path, query, "", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(io.Discard, body)
	return err
}

// Ping fails where no engine answers within ten seconds.
func (c *Client) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := c.do(ctx, http.MethodGet, "/_ping", nil); err != nil {
		if silent, ok := errors.AsType[*UnansweredError](err); ok {
			return fmt.Errorf("%w. %s", err, silent.Advice())
		}
		return fmt.Errorf("the Docker engine at %s: %w", c.host, err)
	}
	return nil
}

// Load hands an image over that write puts into an archive.
func (c *Client) Load(ctx context.Context, write func(io.Writer) error) error {
	out, in := io.Pipe()
	defer out.Close() // lets write end if the engine does not read all
	go func() { in.CloseWithError(write(in)) }()
	body, err := c.call(ctx, http.MethodPost, "/images/load", url.Values{"quiet": {"1"}}, "application/x-tar", out)
	if err != nil {
		return err
	}
	defer body.Close()
	for d := json.NewDecoder(body); ; { // a failure comes after the status 200
		var said struct {
			Error string `json:"error"`
		}
		switch err := d.Decode(&said); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading what the Docker engine says of the image: %w", err)
		case said.Error != "":
			return errors.New(said.Error)
		}
	}
}

// Save returns an image as docker save writes it
// (https://docs.docker.com/reference/api/engine/version/v1.47/#tag/Image/operation/ImageGet). The caller closes it.
func (c *Client) Save(ctx context.Context, image string) (io.ReadCloser, error) {
	// Asked first, because the export of an unknown image may begin with a success.
	if err := c.do(ctx, http.MethodGet, "/images/"+image+"/json", nil); err != nil {
		return nil, err
	}
	return c.call(ctx, http.MethodGet, "/images/"+image+"/get", nil, "", nil)
}

// RemoveImage removes an image's name, and the image with its last name. One that is not there is no error.
func (c *Client) RemoveImage(ctx context.Context, name string) error {
	err := c.do(ctx, http.MethodDelete, "/images/"+name, url.Values{"force": {"1"}})
	if IsMissing(err) {
		return nil
	}
	return err
}

// Create makes a container of the spec, which is the body of the API's call.
func (c *Client) Create(ctx context.Context, name string, spec map[string]any) error {
	text, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	body, err := c.call(ctx, http.MethodPost, "/containers/create", url.Values{"name": {name}}, "application/json", bytes.NewReader(text))
	if err != nil {
		return err
	}
	return body.Close()
}

// Start starts a container.
func (c *Client) Start(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodPost, "/containers/"+name+"/start", nil)
}

// Stop returns when the container has ended.
func (c *Client) Stop(ctx context.Context, name string, grace time.Duration) error {
	return c.do(ctx, http.MethodPost, "/containers/"+name+"/stop", url.Values{"t": {fmt.Sprint(int(grace.Seconds()))}})
}

// RemoveContainer ends a container if it runs.
func (c *Client) RemoveContainer(ctx context.Context, name string) error {
	err := c.do(ctx, http.MethodDelete, "/containers/"+name, url.Values{"force": {"1"}, "v": {"1"}})
	if IsMissing(err) {
		return nil
	}
	return err
}

// End is how a container ended.
type End struct {
	Code        int
	OutOfMemory bool
}

// Wait waits for a container's end.
func (c *Client) Wait(ctx context.Context, name string) (End, error) {
	if err := c.do(ctx, http.MethodPost, "/containers/"+name+"/wait", nil); err != nil {
		return End{}, err
	}
	body, err := c.call(ctx, http.MethodGet, "/containers/"+name+"/json", nil, "", nil)
	if err != nil {
		return End{}, err
	}
	defer body.Close()
	var found struct {
		State struct {
			ExitCode  int
			OOMKilled bool
		}
	}
	if err := json.NewDecoder(body).Decode(&found); err != nil {
		return End{}, fmt.Errorf("reading what the Docker engine says of the container: %w", err)
	}
	return End{found.State.ExitCode, found.State.OOMKilled}, nil
}

// Logs returns what the container writes, until it ends, in the engine's frames of both streams. The caller closes it.
func (c *Client) Logs(ctx context.Context, name string) (io.ReadCloser, error) {
	query := url.Values{"follow": {"1"}, "stdout": {"1"}, "stderr": {"1"}}
	return c.call(ctx, http.MethodGet, "/containers/"+name+"/logs", query, "", nil)
}
