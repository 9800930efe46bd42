package image

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/org/connect2/v2/internal/dockerengine"
)

// openDaemon takes an image from a Docker daemon, by the same export that docker save uses. It is spooled to a temporary file:
// the export can be read only once and in its own order.
func openDaemon(ctx context.Context, image string, o OpenOptions) (*Source, error) {
	if image == "" {
		return nil, errors.New("name the image: docker://NAME:TAG")
	}
	client, err := dockerengine.New(o.DaemonHost)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	export, err := client.Save(ctx, image)
	if err != nil {
		return nil, daemonError(err, image)
	}
	defer export.Close()
	s, err := newSpool()
	if err != nil {
		return nil, err
	}
	if n, err := io.Copy(s, export); err != nil {
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

// daemonError says what can be done about an image that the daemon did not give.
func daemonError(err error, image string) error {
	refusal, refused := errors.AsType[*dockerengine.Refusal](err)
	switch {
	case !refused:
		return err
	case dockerengine.IsMissing(err):
		return fmt.Errorf("the Docker daemon has no image %q: %s", image, refusal.Message)
	}
	return fmt.Errorf("the Docker daemon answered %s: %s", refusal.Status, refusal.Message)
}
