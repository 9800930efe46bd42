package action

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Excluder may be implemented by inputs that are composed of parts (see Field), for the inputs of parts that they do not have.
// Excluded returns the reason for each, by PART.NAME, as in "Push.if-absent". Such an input is left at its zero value.
type Excluder interface{ Excluded() map[string]string }

// part is a struct field that holds the inputs of a part.
type part struct {
	field   reflect.StructField
	renamed map[string]string // the name in the whole, by that in the part
	takes   []string          // names in the part whose value another part has
}

// partOf reads the tags of a part.
func partOf(whole reflect.Type, f reflect.StructField) (part, bool) {
	if f.Tag.Get("part") != "true" {
		return part{}, false
	}
	p := part{field: f, renamed: map[string]string{}}
	fail := func(format string, args ...any) {
		panic(fmt.Sprintf("%s: part %s: ", whole, f.Name) + fmt.Sprintf(format, args...))
	}
	if f.Type.Kind() != reflect.Struct || f.Anonymous || !f.IsExported() {
		fail("want an exported field with a name, of a struct type")
	}
	names := map[string]bool{}
	for _, field := range fieldsOf(f.Type, "input") {
		names[field.Name] = true
	}
	for pair := range strings.SplitSeq(f.Tag.Get("rename"), ",") {
		from, to, ok := strings.Cut(pair, "=")
		if pair == "" {
			continue
		}
		if !ok || !names[from] {
			fail("rename %q: want NAME=NEW-NAME, of an input that it has", pair)
		}
		p.renamed[from] = to
	}
	if takes := f.Tag.Get("takes"); takes != "" {
		p.takes = strings.Split(takes, ",")
	}
	for _, name := range p.takes {
		if !names[name] {
			fail("takes %q, which it does not have", name)
		}
	}
	return p, true
}

// place is where a part has the value of an input.
type place struct {
	Field // under its name in the whole, with its index there
	typ   reflect.Type
	from  string // PART.NAME
	takes bool
}

// places returns the inputs of a part, without those that the whole excludes.
func (p part) places(excluded map[string]string) []place {
	var places []place
	for _, f := range fieldsOf(p.field.Type, "input") {
		at := place{Field: f, typ: p.field.Type.FieldByIndex(f.index).Type, from: p.field.Name + "." + f.Name,
			takes: slices.Contains(p.takes, f.Name)}
		if _, ok := excluded[at.from]; ok {
			continue
		}
		if name, ok := p.renamed[f.Name]; ok {
			at.Name = name
		}
		at.index = slices.Concat(p.field.Index, f.index)
		places = append(places, at)
	}
	return places
}

// excludedBy returns what a struct of inputs excludes of its parts. It panics where a part has no such input.
func excludedBy(whole reflect.Type) map[string]string {
	excluder, ok := reflect.New(whole).Interface().(Excluder)
	if !ok {
		return nil
	}
	excluded := excluder.Excluded()
	for from, reason := range excluded {
		name, input, _ := strings.Cut(from, ".")
		f, ok := whole.FieldByName(name)
		isPart := ok && f.Tag.Get("part") == "true"
		if !isPart || !slices.ContainsFunc(fieldsOf(f.Type, "input"), func(f Field) bool { return f.Name == input }) {
			panic(fmt.Sprintf("%s: excludes %s, which no part has", whole, from))
		}
		if reason == "" {
			panic(fmt.Sprintf("%s: excludes %s without a reason", whole, from))
		}
	}
	return excluded
}

// Share fills the parts of inputs that are composed of parts (see Field): an input of a part that the whole declares itself, or
// that the part takes from another one, gets the value that it has there. It panics where a tag is wrong.
func Share[In any](in *In) {
	v := reflect.ValueOf(in).Elem()
	index := map[string][]int{}
	for _, f := range fieldsOf(v.Type(), "input") {
		index[f.Name] = f.index
	}
	excluded := excludedBy(v.Type())
	for _, f := range reflect.VisibleFields(v.Type()) {
		p, ok := partOf(v.Type(), f)
		if !ok {
			continue
		}
		for _, at := range p.places(excluded) {
			if held := index[at.Name]; !slices.Equal(held, at.index) {
				v.FieldByIndex(at.index).Set(v.FieldByIndex(held))
			}
		}
	}
}
