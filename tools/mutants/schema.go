package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// helperFile is the file that is added to the package.
const helperFile = "zz_mutants.go"

// helperImports are what it imports.
var helperImports = []string{"os", "strconv", "sync/atomic"}

// helper is what the mutants call. One is active at most, chosen by the environment; which ones are reached goes into a file.
const helper = `package %s

import (
	"os"
	"strconv"
	"sync/atomic"
)

var mutantActive, _ = strconv.Atoi(os.Getenv("MUTANT"))

var mutantReached [%d]atomic.Bool

var mutantFile = func() *os.File {
	if os.Getenv("MUTANTS_REACHED") == "" {
		return nil
	}
	f, err := os.OpenFile(os.Getenv("MUTANTS_REACHED"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	return f
}()

func mutantOn(id int) bool {
	if mutantFile != nil && !mutantReached[id].Swap(true) {
		mutantFile.WriteString(strconv.Itoa(id) + "\n")
	}
	return id == mutantActive
}

type mutantNumber interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr | ~float32 | ~float64
}

func mutantOne[T mutantNumber](id int) T {
	if mutantOn(id) {
		return 1
	}
	return 0
}

func mutantText[T ~string](id int) T {
	if mutantOn(id) {
		return "~"
	}
	return ""
}

func mutantNoError(id int, err error) error {
	if mutantOn(id) {
		return nil
	}
	return err
}

func mutantNoError2[A any](id int) func(A, error) (A, error) {
	return func(a A, err error) (A, error) { return a, mutantNoError(id, err) }
}

func mutantNoError3[A, B any](id int) func(A, B, error) (A, B, error) {
	return func(a A, b B, err error) (A, B, error) { return a, b, mutantNoError(id, err) }
}

func mutantNoError4[A, B, C any](id int) func(A, B, C, error) (A, B, C, error) {
	return func(a A, b B, c C, err error) (A, B, C, error) { return a, b, c, mutantNoError(id, err) }
}
`

// schema is a package in which all mutants stand side by side, each behind a switch.
type schema struct {
	sources map[string][]byte // by file name
	places  map[string][]place
}

// place is where a mutant stands in the schema's text.
type place struct {
	m          *mutant
	start, end int
}

// schemata writes every mutant that can stand beside the others behind a switch. Those that cannot lose their before and after.
// It compiles: what a type check objects to is taken out until it is content.
func (p *pkg) schemata() (schema, error) {
	for {
		s := p.write()
		c, err := p.check(s.sources, map[string][]byte{helperFile: p.helper()})
		if err != nil {
			return schema{}, fmt.Errorf("the mutants together are no Go: %w", err)
		}
		if len(c.errors) == 0 {
			return s, nil
		}
		out := 0
		for _, e := range c.errors {
			for _, m := range s.blamed(c, e.Pos) {
				if m.before != "" {
					m.before, m.after = "", ""
					out++
				}
			}
		}
		if out == 0 {
			return schema{}, fmt.Errorf("the mutants together do not compile: %w", c.errors[0])
		}
	}
}

func (p *pkg) helper() []byte {
	last := 0
	for _, m := range p.mutants {
		last = max(last, m.id)
	}
	return fmt.Appendf(nil, helper, p.name, last+1)
}

// write writes the files anew, with the switches in them.
func (p *pkg) write() schema {
	byFile := map[string][]*mutant{}
	for _, m := range p.mutants {
		if m.before != "" {
			name := path.Base(m.file)
			byFile[name] = append(byFile[name], m)
		}
	}
	s := schema{sources: map[string][]byte{}, places: map[string][]place{}}
	for name, mutants := range byFile {
		s.sources[name], s.places[name] = weave(p.sources[name], mutants)
	}
	return s
}

// weave puts what belongs before and after each mutant's place around it. Places lie within each other or apart, as nodes of a
// tree do; of those that are the same, the mutant that was found first is the outer one.
func weave(source []byte, mutants []*mutant) ([]byte, []place) {
	type insertion struct {
		at     int
		closes bool
		m      *mutant
	}
	var all []insertion
	for _, m := range mutants {
		all = append(all, insertion{m.start, false, m}, insertion{m.end, true, m})
	}
	slices.SortFunc(all, func(a, b insertion) int {
		switch {
		case a.at != b.at:
			return cmp.Compare(a.at, b.at)
		case a.closes != b.closes:
			if a.closes {
				return -1
			}
			return 1
		case a.closes:
			return cmp.Or(cmp.Compare(b.m.start, a.m.start), cmp.Compare(b.m.id, a.m.id))
		default:
			return cmp.Or(cmp.Compare(b.m.end, a.m.end), cmp.Compare(a.m.id, b.m.id))
		}
	})
	var text []byte
	var places []place
	index := map[*mutant]int{}
	last := 0
	for _, i := range all {
		text = append(text, source[last:i.at]...)
		last = i.at
		id := strconv.Itoa(i.m.id)
		if i.closes {
			text = append(text, strings.ReplaceAll(i.m.after, here, id)...)
			places[index[i.m]].end = len(text)
		} else {
			index[i.m] = len(places)
			places = append(places, place{m: i.m, start: len(text)})
			text = append(text, strings.ReplaceAll(i.m.before, here, id)...)
		}
	}
	return append(text, source[last:]...), places
}

// blamed are the mutants that an error at a position is laid to: the innermost around it; or else the last statement that is
// left out of the function, without which it may not return; or else all of the function.
func (s schema) blamed(c *checked, pos token.Pos) []*mutant {
	at := c.fset.Position(pos)
	places := s.places[at.Filename]
	var inner *place
	for _, p := range places {
		if p.start <= at.Offset && at.Offset < p.end && (inner == nil || p.end-p.start <= inner.end-inner.start) {
			inner = &p
		}
	}
	if inner != nil {
		return []*mutant{inner.m}
	}
	for _, d := range c.files[at.Filename].Decls {
		if d.Pos() > pos || pos > d.End() {
			continue
		}
		var within []*mutant
		var last *place
		for _, p := range places {
			if c.fset.Position(d.Pos()).Offset <= p.start && p.end <= c.fset.Position(d.End()).Offset {
				within = append(within, p.m)
				if _, isFunc := d.(*ast.FuncDecl); isFunc && p.m.kind == drop && (last == nil || p.end > last.end) {
					last = &p
				}
			}
		}
		if last != nil {
			return []*mutant{last.m}
		}
		return within
	}
	return nil
}

// alone is the file with this mutant in it and no other, and whether that compiles.
func (p *pkg) alone(m *mutant) ([]byte, bool) {
	name := path.Base(m.file)
	source := slices.Concat(p.sources[name][:m.start], []byte(m.text), p.sources[name][m.end:])
	for {
		c, err := p.check(map[string][]byte{name: source}, nil)
		if err != nil {
			return nil, false
		}
		if len(c.errors) == 0 {
			return source, true
		}
		// An import that nothing uses any more would hide what the change does.
		at := c.fset.Position(c.errors[0].Pos).Offset
		if !strings.HasSuffix(c.errors[0].Msg, "imported and not used") || source[at] != '"' {
			return nil, false
		}
		source = slices.Concat(source[:at], []byte("_ "), source[at:])
	}
}
