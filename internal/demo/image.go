package demo

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/org/connect2/v2/examples"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// How the demo's images behave in the sandbox, which has no Python to run them with. Without a word they start and are healthy.
const (
	migrates = `
start: healthy
run:
  "*":
    after: 6s
    exitCode: 0
    logs:
      - "INFO  [alembic.runtime.migration] Context impl PostgresqlImpl."
      - "INFO  [alembic.runtime.migration] Will assume transactional DDL."
      - "INFO  [alembic.runtime.migration] Running upgrade  -> 0001, Create the table contacts"
`
	workerCrashes = `
commands:
  app.worker:
    start: crash
    after: 2s
    exitCode: 1
    logs:
      - "Traceback (most recent call last):"
      - "  File \"/app/app/worker.py\", line 8, in <module>"
      - "    from app.search import index"
      - "ModuleNotFoundError: No module named 'app.search'"
`
)

// writeImage builds an image of the example service and writes it as an OCI layout. The migrations are a layer of their
// own that all versions share.
func writeImage(folder, version, behaviour string) error {
	migrations, err := layer("api/alembic.ini", "api/migrations")
	if err != nil {
		return err
	}
	app, err := layer("api/app")
	if err != nil {
		return err
	}
	release := static.NewLayer(tarball(map[string][]byte{"app/RELEASE": []byte(version + "\n")}), types.OCIUncompressedLayer)
	base := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	image, err := mutate.AppendLayers(base, migrations, app, release)
	if err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	config.Config = v1.Config{
		User:       "10001",
		WorkingDir: "/app",
		Cmd:        []string{"uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "8000"},
		Env:        []string{"RELEASE=" + version},
		Labels:     map[string]string{},
	}
	if behaviour != "" {
		config.Config.Labels[engine.BehaviourLabel] = behaviour
	}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return err
	}
	_, err = layout.Write(folder, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: image}))
	return err
}

// layer packs files of the example service, by their place in the image.
func layer(roots ...string) (v1.Layer, error) {
	files := map[string][]byte{}
	for _, root := range roots {
		err := fs.WalkDir(examples.API, root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			files["app/"+strings.TrimPrefix(path, "api/")], err = examples.API.ReadFile(path)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return static.NewLayer(tarball(files), types.OCIUncompressedLayer), nil
}

// tarball packs files in the order of their names. Writing into memory cannot fail.
func tarball(files map[string][]byte) []byte {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		_ = w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name]))})
		_, _ = w.Write(files[name])
	}
	_ = w.Close()
	return buffer.Bytes()
}
