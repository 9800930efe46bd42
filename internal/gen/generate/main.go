// Command generate writes what follows from the actions' structs, the action.yml files and the tables in the READMEs, and the list of
// causes that a diagnosis knows, and the reference and the man pages of connect2.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/org/connect2/v2/internal/catalog/all"
	"github.com/org/connect2/v2/pkg/project"
)

//go:generate go run .

func main() {
	root, err := moduleRoot()
	if err == nil {
		err = write(root)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// write brings every generated file up to date.
func write(root string) error {
	files := append(reference(), causes(), file{"docs/connect2.schema.json", string(project.Schema())})
	for _, a := range all.Actions() {
		more, err := render(root, a)
		if err != nil {
			return err
		}
		files = append(files, more...)
	}
	for _, f := range files {
		path := filepath.Join(root, f.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(f.text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// moduleRoot returns the folder of go.mod, at or above the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = parent
	}
}
