package docker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/dockerengine"
)

// longest is the size of a log event, 256 KiB less what CloudWatch Logs counts for its frame: the awslogs driver cuts
// longer lines there.
const longest = 256<<10 - 26

// logs hands on the lines of both streams until the container ends.
func logs(ctx context.Context, client *dockerengine.Client, name string, line func(string)) error {
	body, err := client.Logs(ctx, name)
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
