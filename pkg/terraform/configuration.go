package terraform

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/internal/sorted"
)

// LockFile is where the selected providers stand.
const LockFile = ".terraform.lock.hcl"

var lockedProvider = lazyregexp.New(`(?m)^provider "([^"]+)" \{[^}]*?^\s*version\s*=\s*"([^"]+)"`)

// Providers returns the providers that the lock file selects, with their versions, by source address; none without one. Terraform's
// own `version` reads the same file.
func Providers(dir string) (map[string]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, LockFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	selected := map[string]string{}
	for _, found := range lockedProvider.FindAllStringSubmatch(string(text), -1) {
		selected[found[1]] = found[2]
	}
	return selected, err
}

// HashConfiguration returns a hash of everything that makes a configuration: the files of its folder and of every module
// that init found, local or fetched, and further files by name (variables). Paths within the folders count, those of the
// folders do not, so that two checkouts of the same have the same hash. dataDir is TF_DATA_DIR; the file except (absolute),
// which an earlier run wrote, does not count.
func HashConfiguration(dir, dataDir string, files []string, except string) (string, error) {
	h := sha256.New()
	folders := []moduleFolder{{"", dir}}
	modules, err := modulesOf(dir, dataDir)
	if err != nil {
		return "", err
	}
	folders = append(folders, modules...)
	for _, folder := range folders {
		fmt.Fprintf(h, "module %q\n", folder.key)
		if err := hashFolder(h, folder.dir, except); err != nil {
			return "", fmt.Errorf("hashing the configuration: %w", err)
		}
	}
	for _, file := range files {
		fmt.Fprintf(h, "file %q\n", filepath.Base(file))
		if err := hashFile(h, file); err != nil {
			return "", fmt.Errorf("hashing the configuration: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

type moduleFolder struct{ key, dir string }

// modulesOf reads what init wrote about modules: modules.json in the data folder.
func modulesOf(dir, dataDir string) ([]moduleFolder, error) {
	text, err := os.ReadFile(filepath.Join(dataDir, "modules", "modules.json"))
	if os.IsNotExist(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var manifest struct {
		Modules []struct{ Key, Dir string }
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		return nil, fmt.Errorf("modules.json: %w", err)
	}
	var folders []moduleFolder
	for _, m := range manifest.Modules {
		if m.Key == "" {
			continue
		}
		at := m.Dir
		if !filepath.IsAbs(at) {
			at = filepath.Join(dir, at)
		}
		folders = append(folders, moduleFolder{m.Key, at})
	}
	sorted.Stable(folders, func(a, b moduleFolder) int { return strings.Compare(a.key, b.key) })
	return folders, nil
}

// hashFolder hashes the files of a folder in the order of their names, at every depth: templates and scripts beside the
// configuration count. What a run leaves behind does not.
func hashFolder(h hash.Hash, dir, except string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != dir && (name == ".terraform" || name == ".git" || name == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || strings.Contains(name, ".tfstate") || strings.HasPrefix(name, "crash.") || path == except {
			return nil
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q ", filepath.ToSlash(relative))
		return hashFile(h, path)
	})
}

func hashFile(h hash.Hash, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	inner := sha256.New()
	if _, err := io.Copy(inner, f); err != nil {
		return err
	}
	fmt.Fprintf(h, "%x\n", inner.Sum(nil))
	return nil
}
