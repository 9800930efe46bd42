package docker

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// DefaultHost is the local engine.
const DefaultHost = "unix:///var/run/docker.sock"

// longest is the size of a log event, 256 KiB less what CloudWatch Logs counts for its frame: the awslogs driver cuts
// longer lines there.
const longest = 256<<10 - 26

// client speaks the Docker engine's API, unversioned: every engine since 1.24 of the API has what is used here.
type client struct {
	host, base string
	http       *http.Client
}

func newClient(host string) (*client, error) {
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
		return &client{host, "http://docker", &http.Client{Transport: &http.Transport{DialContext: dial}}}, nil
	case "tcp", "http":
		return &client{host, "http://" + u.Host, &http.Client{Transport: &http.Transport{}}}, nil
	default:
		return nil, fmt.Errorf("the Docker engine's address %q: only unix:// and tcp:// without TLS are understood", host)
	}
}

// refusal is an answer of the engine.
type refusal struct {
	status  int
	message string
}

// Error returns the engine's words.
func (r *refusal) Error() string { return r.message }

// isMissing says whether the engine has not got what was named.
func isMissing(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.status == http.StatusNotFound
}

// call sends a request and returns the answer's body, which the caller closes. Answers above 399 are refusals.
func (c *client) call(ctx context.Context, method, path string, query url.Values, kind string, body io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path+"?"+query.Encode(), body)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the Docker engine at %s: %w", c.host, err)
	}
	if res.StatusCode < http.StatusBadRequest {
		return res.Body, nil
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10)) // what can be read of it is the message
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &said) != nil || said.Message == "" {
		said.Message = res.Status + ": " + strings.TrimSpace(string(text))
	}
	return nil, &refusal{res.StatusCode, said.Message}
}

// do is call for answers that do not matter.
func (c *client) do(ctx context.Context, method, path string, query url.Values) error {
	body, err := c.call(ctx, method, path, query, "", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(io.Discard, body)
	return err
}

func (c *client) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := c.do(ctx, http.MethodGet, "/_ping", nil); err != nil {
		return fmt.Errorf("no Docker engine answers: %w; start one, or name it in DOCKER_HOST", err)
	}
	return nil
}

// load hands an image over that write puts into an archive.
func (c *client) load(ctx context.Context, write func(io.Writer) error) error {
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

// removeImage removes an image's name, and the image with its last name. One that is not there is no error.
func (c *client) removeImage(ctx context.Context, name string) error {
	err := c.do(ctx, http.MethodDelete, "/images/"+name, url.Values{"force": {"1"}})
	if isMissing(err) {
		return nil
	}
	return err
}

func (c *client) create(ctx context.Context, name string, spec map[string]any) error {
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

func (c *client) start(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodPost, "/containers/"+name+"/start", nil)
}

// stop returns when the container has ended.
func (c *client) stop(ctx context.Context, name string, grace time.Duration) error {
	return c.do(ctx, http.MethodPost, "/containers/"+name+"/stop", url.Values{"t": {fmt.Sprint(int(grace.Seconds()))}})
}

// removeContainer ends a container if it runs.
func (c *client) removeContainer(ctx context.Context, name string) error {
	err := c.do(ctx, http.MethodDelete, "/containers/"+name, url.Values{"force": {"1"}, "v": {"1"}})
	if isMissing(err) {
		return nil
	}
	return err
}

// end is how a container ended.
type end struct {
	code        int
	outOfMemory bool
}

// wait waits for a container's end.
func (c *client) wait(ctx context.Context, name string) (end, error) {
	if err := c.do(ctx, http.MethodPost, "/containers/"+name+"/wait", nil); err != nil {
		return end{}, err
	}
	body, err := c.call(ctx, http.MethodGet, "/containers/"+name+"/json", nil, "", nil)
	if err != nil {
		return end{}, err
	}
	defer body.Close()
	var found struct {
		State struct {
			ExitCode  int
			OOMKilled bool
		}
	}
	if err := json.NewDecoder(body).Decode(&found); err != nil {
		return end{}, fmt.Errorf("reading what the Docker engine says of the container: %w", err)
	}
	return end{found.State.ExitCode, found.State.OOMKilled}, nil
}

// logs hands on the lines of both streams until the container ends.
func (c *client) logs(ctx context.Context, name string, line func(string)) error {
	query := url.Values{"follow": {"1"}, "stdout": {"1"}, "stderr": {"1"}}
	body, err := c.call(ctx, http.MethodGet, "/containers/"+name+"/logs", query, "", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	return demultiplex(body, line)
}

// demultiplex takes the engine's frames apart: a byte for the stream, three empty ones, four for the length (Docker Engine
// API, "Attach to a container", stream format). A line may go over frames.
func demultiplex(r io.Reader, line func(string)) error {
	var header [8]byte
	rest := map[byte][]byte{} // of a line that has not ended, by stream
	flush := func() {
		for _, stream := range sortedKeys(rest) {
			if len(rest[stream]) > 0 {
				line(string(rest[stream]))
			}
		}
	}
	defer flush()
	for {
		if _, err := io.ReadFull(r, header[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		frame := make([]byte, binary.BigEndian.Uint32(header[4:]))
		if _, err := io.ReadFull(r, frame); err != nil {
			return err
		}
		text := append(rest[header[0]], frame...)
		for {
			at := bytes.IndexByte(text, '\n')
			if at < 0 && len(text) <= longest {
				break
			}
			if at < 0 || at > longest {
				line(string(text[:longest]))
				text = text[longest:]
				continue
			}
			line(strings.TrimSuffix(string(text[:at]), "\r"))
			text = text[at+1:]
		}
		rest[header[0]] = bytes.Clone(text)
	}
}

func sortedKeys[K string | byte, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
