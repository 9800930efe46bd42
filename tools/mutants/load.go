package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"time"
)

// pkg is a package with the mutants of those of its files that were chosen.
type pkg struct {
	path    string // import path
	dir     string // on disk
	name    string
	files   []string // names of all its Go files but tests
	sources map[string][]byte
	imports types.Importer
	mutants []*mutant
	tests   bool // it has tests at all

	patience time.Duration
}

func (p *pkg) count(files []string) (n int) {
	for _, m := range p.mutants {
		if slices.Contains(files, m.file) {
			n++
		}
	}
	return n
}

// listedPackage is what `go list -json` says of a package.
type listedPackage struct {
	ImportPath, Dir, Name, Export string
	GoFiles                       []string
	TestGoFiles, XTestGoFiles     []string
}

// load reads the packages of the files and finds their mutants.
func load(ctx context.Context, root string, targets []target) ([]*pkg, error) {
	var folders []string
	byFolder := map[string][]target{}
	for _, t := range targets {
		folder := path.Dir(t.file)
		if byFolder[folder] == nil {
			folders = append(folders, folder)
		}
		byFolder[folder] = append(byFolder[folder], t)
	}
	args := []string{"list", "-e", "-export", "-deps", "-json=ImportPath,Dir,Name,Export,GoFiles,TestGoFiles,XTestGoFiles"}
	args = append(args, helperImports...)
	for _, folder := range folders {
		args = append(args, "./"+folder)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.Bytes())
	}
	exports := map[string]string{}
	byDir := map[string]listedPackage{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listedPackage
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		exports[l.ImportPath] = l.Export
		byDir[l.Dir] = l
	}
	imports := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	})
	var packages []*pkg
	for _, folder := range folders {
		dir := filepath.Join(root, filepath.FromSlash(folder))
		l, ok := byDir[dir]
		if !ok {
			return nil, fmt.Errorf("go list says nothing of %s", folder)
		}
		if len(l.GoFiles) == 0 {
			continue // tests alone, or nothing that is built on this system
		}
		p := &pkg{path: l.ImportPath, dir: dir, name: l.Name, files: l.GoFiles, sources: map[string][]byte{}, imports: imports,
			tests: len(l.TestGoFiles)+len(l.XTestGoFiles) > 0}
		for _, name := range l.GoFiles {
			if p.sources[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
				return nil, err
			}
		}
		if err := p.findAll(byFolder[folder]); err != nil {
			return nil, err
		}
		if len(p.mutants) > 0 {
			packages = append(packages, p)
		}
	}
	return packages, nil
}

// findAll finds the mutants of these files, and gives them their numbers.
func (p *pkg) findAll(targets []target) error {
	c, err := p.check(nil, nil)
	if err != nil {
		return err
	}
	if len(c.errors) > 0 {
		return fmt.Errorf("%s does not compile: %w", p.path, c.errors[0])
	}
	compared := comparedConstants(c)
	for _, t := range targets {
		name := path.Base(t.file)
		file := c.files[name]
		if file == nil {
			continue // not built on this system
		}
		p.mutants = append(p.mutants, find(c, file, t, p.sources[name], compared)...)
	}
	for i, m := range p.mutants {
		m.id = i + 1
	}
	number(p.mutants)
	return nil
}

// checked is a package after its type check.
type checked struct {
	fset   *token.FileSet
	files  map[string]*ast.File // by name
	info   *types.Info
	pkg    *types.Package
	errors []types.Error
}

// check parses and checks the package, with some of its files replaced and others added. Its errors are the text's.
func (p *pkg) check(replaced map[string][]byte, added map[string][]byte) (*checked, error) {
	c := &checked{fset: token.NewFileSet(), files: map[string]*ast.File{}, info: &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}}
	var files []*ast.File
	add := func(name string, source []byte) error {
		file, err := parser.ParseFile(c.fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("%s: %w", p.path, err)
		}
		c.files[name] = file
		files = append(files, file)
		return nil
	}
	for _, name := range p.files {
		source := p.sources[name]
		if r, ok := replaced[name]; ok {
			source = r
		}
		if err := add(name, source); err != nil {
			return nil, err
		}
	}
	for name, source := range added {
		if err := add(name, source); err != nil {
			return nil, err
		}
	}
	config := types.Config{Importer: p.imports, Error: func(err error) {
		var e types.Error
		if errors.As(err, &e) {
			c.errors = append(c.errors, e)
		}
	}}
	c.pkg, _ = config.Check(p.path, c.fset, files, c.info)
	return c, nil
}
