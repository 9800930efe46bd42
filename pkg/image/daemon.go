package image

import (
	"cmp"
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
)

// defaultDaemon is where a Docker daemon listens on Linux; GitHub mounts it into a Docker action's container.
const defaultDaemon = "unix:///var/run/docker.sock"

// openDaemon takes an image from a Docker daemon, by the same export that docker save uses
// (https://docs.docker.com/reference/api/engine/version/v1.47/#tag/Image/operation/ImageGet). It is spooled to a temporary
// file: the export can be read only once and in its own order.
func openDaemon(ctx context.Context, image string, o OpenOptions) (*Source, error) {
	if image == "" {
		return nil, errors.New("name the image: docker://NAME:TAG")
	}
	client, base, err := daemonClient(cmp.Or(o.DaemonHost, defaultDaemon))
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	// Asked first, because the export of an unknown image may begin with a success.
	res, err := daemonGet(ctx, client, base+"/images/"+image+"/json", image)
	if err != nil {
		return nil, err
	}
	res.Body.Close()
	if res, err = daemonGet(ctx, client, base+"/images/"+image+"/get", image); err != nil {
		return nil, err
	}
	defer res.Body.Close()
	s, err := newSpool()
	if err != nil {
		return nil, err
	}
	if n, err := io.Copy(s, res.Body); err != nil {
		s.Close()
		return nil, fmt.Errorf("the daemon's export broke off after %d bytes: %w", n, err)
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		s.Close()
		return nil, err
	}
	t, err := openTar(s.file)
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("the daemon's export: %w", err)
	}
	out, err := openFiles(ctx, t, "", o, DockerSave)
	if err != nil {
		return nil, fmt.Errorf("the daemon's export: %w", err)
	}
	out.Kind = Daemon
	return out, nil
}

// daemonClient returns how to speak to a daemon whose address is written as in DOCKER_HOST.
func daemonClient(host string) (client *http.Client, base string, err error) {
	u, err := url.Parse(host)
	if err != nil {
		return nil, "", fmt.Errorf("the Docker daemon's address %q: %w", host, err)
	}
	switch u.Scheme {
	case "unix":
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", u.Path)
		}
		return &http.Client{Transport: &http.Transport{DialContext: dial}}, "http://docker", nil
	case "tcp", "http":
		return &http.Client{Transport: &http.Transport{}}, "http://" + u.Host, nil
	default:
		return nil, "", fmt.Errorf("the Docker daemon's address %q: only unix:// and tcp:// without TLS are understood", host)
	}
}

func daemonGet(ctx context.Context, client *http.Client, address, image string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission):
		return nil,
			fmt.Errorf("no Docker daemon can be reached: %w; is it running, and is its socket mounted? docker save to a file works without", err)
	case err != nil:
		return nil, fmt.Errorf("asking the Docker daemon: %w", err)
	case res.StatusCode == http.StatusOK:
		return res, nil
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	var said struct{ Message string }
	if json.Unmarshal(body, &said) != nil || said.Message == "" {
		said.Message = strings.TrimSpace(string(body))
	}
	if res.StatusCode == http.StatusNotFound {
		return nil, fmt.Errorf("the Docker daemon has no image %q: %s", image, said.Message)
	}
	return nil, fmt.Errorf("the Docker daemon answered %s: %s", res.Status, said.Message)
}
