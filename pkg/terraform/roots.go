package terraform

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/internal/sorted"
)

// Root is a root module of a repository.
type Root struct {
	Dir     string   // with slashes, as all paths here are, relative to the repository
	Modules []string // folders of the local modules that it uses, at any depth
}

var (
	backendBlock = lazyregexp.New(`(?m)^\s*(?:backend\s+"[^"]+"|cloud)\s*\{`)
	localSource  = lazyregexp.New(`(?m)^\s*source\s*=\s*"(\.\.?/[^"]*)"`)
)

// FindRoots finds the root modules below a folder of the repository: those with a backend, or, where none has one, those that are not
// a module of another.
func FindRoots(repository, below string) ([]Root, error) {
	uses, withBackend := map[string][]string{}, map[string]bool{}
	err := filepath.WalkDir(filepath.Join(repository, filepath.FromSlash(below)), func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".terraform" || entry.Name() == ".git" || entry.Name() == "node_modules"):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".tf") && !strings.HasSuffix(name, ".tofu"):
			return nil
		}
		dir, text, err := relativeFile(repository, name)
		if err != nil {
			return err
		}
		uses[dir] = append(uses[dir], sourcesIn(dir, text)...)
		withBackend[dir] = withBackend[dir] || backendBlock.MatchString(text)
		return nil
	})
	if err != nil {
		return nil, err
	}
	used, anyBackend := map[string]bool{}, false
	for dir := range uses {
		anyBackend = anyBackend || withBackend[dir]
		for _, module := range uses[dir] {
			used[module] = true
		}
	}
	var roots []Root
	for dir := range uses {
		if anyBackend && withBackend[dir] || !anyBackend && !used[dir] {
			modules, err := reached(repository, dir, uses)
			if err != nil {
				return nil, err
			}
			roots = append(roots, Root{dir, modules})
		}
	}
	sorted.Stable(roots, func(a, b Root) int { return strings.Compare(a.Dir, b.Dir) })
	return roots, nil
}

func relativeFile(repository, name string) (dir, text string, err error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return "", "", err
	}
	dir, err = filepath.Rel(repository, filepath.Dir(name))
	return filepath.ToSlash(dir), string(b), err
}

func sourcesIn(dir, text string) []string {
	var modules []string
	for _, found := range localSource.FindAllStringSubmatch(text, -1) {
		modules = append(modules, path.Join(dir, found[1]))
	}
	return modules
}

// reached follows local modules from a folder, also to those outside of where roots are looked for.
func reached(repository, from string, uses map[string][]string) ([]string, error) {
	var all []string
	for next := slices.Clone(uses[from]); len(next) > 0; {
		module := next[0]
		next = next[1:]
		if module == from || slices.Contains(all, module) {
			continue
		}
		all = append(all, module)
		if _, known := uses[module]; !known {
			files, err := filepath.Glob(filepath.Join(repository, filepath.FromSlash(module), "*.t*f*"))
			if err != nil {
				return nil, err
			}
			uses[module] = nil
			for _, file := range files {
				_, text, err := relativeFile(repository, file)
				if err != nil {
					return nil, err
				}
				uses[module] = append(uses[module], sourcesIn(module, text)...)
			}
		}
		next = append(next, uses[module]...)
	}
	slices.Sort(all)
	return all, nil
}

// ChangedBy returns the roots that a change of these files changes: by a file of their own, at any depth but in a root below, or of a
// module that they use.
func ChangedBy(roots []Root, files []string) []string {
	var changed []string
	for _, root := range roots {
		if slices.ContainsFunc(files, func(file string) bool {
			return nearestRoot(roots, file) == root.Dir || slices.ContainsFunc(root.Modules, func(module string) bool { return below(module, file) })
		}) {
			changed = append(changed, root.Dir)
		}
	}
	return changed
}

func below(dir, file string) bool { return dir == "." || strings.HasPrefix(file, dir+"/") }

// nearestRoot is the root in whose folder, or deepest folder above, a file is; "" where there is none.
func nearestRoot(roots []Root, file string) string {
	nearest := ""
	for _, root := range roots {
		if below(root.Dir, file) && (nearest == "" || nearest == "." || len(root.Dir) > len(nearest)) {
			nearest = root.Dir
		}
	}
	return nearest
}
