package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// mutant is one change of one file.
type mutant struct {
	id       int
	file     string // from the module's root
	line     int
	function string // the enclosing function, Type.Method, or the name that is declared
	kind     kind
	old, new string // what is changed, for people; white space in one form
	ordinal  int    // which of those that read the same in the function, from 1

	start, end int    // what is replaced in the file
	text       string // by what

	// Written around the same place, these make the change depend on a switch; here stands for the mutant's number. Empty where
	// that cannot be.
	before, after string

	result result
	failed string // the test that killed it
}

// here stands for the mutant's number in before and after.
const here = "\x00"

type kind string

const (
	operand   kind = "operand" // an operand of && or || made neutral
	condition kind = "if"      // an if's condition forced
	choice    kind = "case"    // the same of a switch without a tag
	loop      kind = "for"     // a loop never entered
	operator  kind = ""        // another operator
	constants kind = "constant"
	drop      kind = "drop"  // a statement left out
	failure   kind = "error" // an error returned as nil
)

// change says what is changed; with the file and the function it names the mutant, wherever its line moves to.
func (m *mutant) change() string {
	text := shorten(m.old)
	if m.new != "" {
		text += " → " + shorten(m.new)
	}
	if m.kind != operator {
		text = string(m.kind) + " " + text
	}
	if m.ordinal > 1 {
		text += fmt.Sprintf(" #%d", m.ordinal)
	}
	return text
}

// around shows a changed constant in what holds it, as long as that is short.
func (f *finder) around(m *mutant) {
	p := f.parent(1)
	if m == nil || p == nil {
		return
	}
	switch p.(type) {
	case *ast.BinaryExpr, *ast.CallExpr, *ast.IndexExpr, *ast.SliceExpr, *ast.KeyValueExpr, *ast.AssignStmt, *ast.ReturnStmt, *ast.ValueSpec:
	default:
		return
	}
	start, end := f.offset(p.Pos()), f.offset(p.End())
	if end-start > longest {
		return
	}
	m.old = oneLine(f.source[start:end])
	m.new = oneLine(slices.Concat(f.source[start:m.start], []byte(m.text), f.source[m.end:end]))
}

// longest is how long the text of one side of a change is shown.
const longest = 56

// shorten keeps the begin and the end of a long text.
func shorten(s string) string {
	const head = 34
	r := []rune(s)
	if len(r) <= longest {
		return s
	}
	return string(r[:head]) + "…" + string(r[len(r)-(longest-head-1):])
}

// number tells mutants apart that read the same.
func number(mutants []*mutant) {
	seen := map[string]int{}
	for _, m := range mutants {
		m.ordinal = 1
		key := m.file + "\x00" + m.function + "\x00" + m.change()
		seen[key]++
		m.ordinal = seen[key]
	}
}

// finder walks one file.
type finder struct {
	c        *checked
	file     *ast.File
	source   []byte
	target   target
	compared map[types.Object]bool
	stack    []ast.Node
	mutants  []*mutant
}

// find returns the mutants of a file in the order of its text, those of outer nodes before those of inner ones.
func find(c *checked, file *ast.File, t target, source []byte, compared map[types.Object]bool) []*mutant {
	f := &finder{c: c, file: file, source: source, target: t, compared: compared}
	ast.Inspect(file, func(n ast.Node) bool {
		if n == nil {
			f.stack = f.stack[:len(f.stack)-1]
			return true
		}
		if skipped(n) {
			return false
		}
		f.visit(n)
		f.stack = append(f.stack, n)
		return true
	})
	return f.mutants
}

// skipped are nodes that decide nothing at run time.
func skipped(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec, *ast.CommentGroup, *ast.StructType, *ast.InterfaceType, *ast.ArrayType:
		return true
	case *ast.GenDecl:
		return n.Tok == token.TYPE || n.Tok == token.IMPORT
	}
	return false
}

func (f *finder) parent(up int) ast.Node {
	if i := len(f.stack) - up; i >= 0 {
		return f.stack[i]
	}
	return nil
}

func (f *finder) visit(n ast.Node) {
	switch n := n.(type) {
	case *ast.IfStmt:
		f.force(condition, n.Cond, true)
	case *ast.ForStmt:
		if n.Cond != nil {
			f.force(loop, n.Cond, false)
		}
	case *ast.CaseClause:
		if s, ok := f.parent(2).(*ast.SwitchStmt); ok && s.Tag == nil {
			for _, e := range n.List {
				f.force(choice, e, true)
			}
		}
	case *ast.BinaryExpr:
		f.binary(n)
	case *ast.ReturnStmt:
		f.returned(n)
	case *ast.BasicLit:
		f.literal(n)
	case *ast.Ident:
		f.boolean(n)
		f.named(n, n)
	case *ast.SelectorExpr:
		f.duration(n)
		f.named(n, n.Sel)
	case ast.Stmt:
		f.statement(n)
	}
}

// add notes a mutant of the node's text, unless no changed line belongs to it.
func (f *finder) add(k kind, n ast.Node, text, before, after string) *mutant {
	start, end := f.offset(n.Pos()), f.offset(n.End())
	line := f.c.fset.Position(n.Pos()).Line
	if f.target.lines != nil && !f.touched(n) {
		return nil
	}
	m := &mutant{file: f.target.file, line: line, function: f.enclosing(), kind: k,
		old: oneLine(f.source[start:end]), new: oneLine([]byte(text)), start: start, end: end, text: text, before: before, after: after}
	f.mutants = append(f.mutants, m)
	return m
}

// touched says whether a changed line belongs to the node.
func (f *finder) touched(n ast.Node) bool {
	for line := f.c.fset.Position(n.Pos()).Line; line <= f.c.fset.Position(n.End()).Line; line++ {
		if f.target.lines[line] {
			return true
		}
	}
	return false
}

func (f *finder) offset(p token.Pos) int { return f.c.fset.Position(p).Offset }

func (f *finder) text(n ast.Node) string {
	return string(f.source[f.offset(n.Pos()):f.offset(n.End())])
}

func oneLine(text []byte) string { return strings.Join(strings.Fields(string(text)), " ") }

// enclosing names the function or the declaration around.
func (f *finder) enclosing() string {
	for _, n := range f.stack {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil || len(n.Recv.List) == 0 {
				return n.Name.Name
			}
			return receiver(n.Recv.List[0].Type) + "." + n.Name.Name
		case *ast.ValueSpec:
			return n.Names[0].Name
		}
	}
	return f.file.Name.Name
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}

// force makes a condition constant.
func (f *finder) force(k kind, e ast.Expr, both bool) {
	f.add(k, e, "false", "(!mutantOn("+here+") && (", "))")
	if both {
		f.add(k, e, "true", "(mutantOn("+here+") || (", "))")
	}
}

var moved = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR, token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LAND: token.LOR, token.LOR: token.LAND,
}

func (f *finder) binary(n *ast.BinaryExpr) {
	if f.isConstant(n) {
		return
	}
	if p, ok := f.parent(1).(*ast.BinaryExpr); ok && p.Op != n.Op {
		f.operand(p.Op, n)
	}
	if op, ok := moved[n.Op]; ok {
		changed := f.side(n.X) + " " + op.String() + " " + f.side(n.Y)
		m := f.add(operator, n, "("+changed+")", "(mutantOn("+here+") && ("+changed+") || !mutantOn("+here+") && (", "))")
		if m != nil {
			m.new = oneLine([]byte(changed))
		}
	}
	for _, side := range []ast.Expr{n.X, n.Y} {
		if _, ok := side.(*ast.BinaryExpr); !ok { // one that is, is visited: of a && b && c the operands are three
			f.operand(n.Op, side)
		}
	}
}

// operand makes an operand of && or || neutral.
func (f *finder) operand(op token.Token, e ast.Expr) {
	switch op {
	case token.LAND:
		f.add(operand, e, "true", "(mutantOn("+here+") || (", "))")
	case token.LOR:
		f.add(operand, e, "false", "(!mutantOn("+here+") && (", "))")
	}
}

// side is the text of an operand, in parentheses where another operator beside it could tear it apart.
func (f *finder) side(e ast.Expr) string {
	if b, ok := e.(*ast.BinaryExpr); ok && (b.Op == token.LAND || b.Op == token.LOR) {
		return "(" + f.text(e) + ")"
	}
	return f.text(e)
}

func (f *finder) isConstant(e ast.Expr) bool { return f.c.info.Types[e].Value != nil }

// returned looks at the error that a return gives.
func (f *finder) returned(n *ast.ReturnStmt) {
	if len(n.Results) == 0 {
		return
	}
	last := n.Results[len(n.Results)-1]
	if f.c.info.Types[last].IsNil() {
		return
	}
	results := f.results()
	if results == nil || results.Len() == 0 || !isError(results.At(results.Len()-1).Type()) {
		return
	}
	if len(n.Results) == results.Len() {
		f.add(failure, last, "nil", "mutantNoError("+here+", ", ")")
		return
	}
	// return f() of a function with several results
	if _, ok := last.(*ast.CallExpr); ok && results.Len() <= maxResults {
		if m := f.add(failure, last, "", f.noError(results), ")"); m != nil {
			m.new = "nil"
		}
	}
}

// maxResults is how many results a passed-on call may have to be mutated.
const maxResults = 4

// noError begins the call of the helper that takes the results of another call.
func (f *finder) noError(results *types.Tuple) string {
	var names []string
	for i := range results.Len() - 1 {
		name, ok := f.typeName(results.At(i).Type())
		if !ok {
			return ""
		}
		names = append(names, name)
	}
	return fmt.Sprintf("mutantNoError%d[%s](%s)(", results.Len(), strings.Join(names, ", "), here)
}

func isError(t types.Type) bool { return types.Identical(t, types.Universe.Lookup("error").Type()) }

// results are those of the function around.
func (f *finder) results() *types.Tuple {
	for _, n := range slices.Backward(f.stack) {
		switch n := n.(type) {
		case *ast.FuncLit:
			if s, ok := f.c.info.Types[n].Type.(*types.Signature); ok {
				return s.Results()
			}
			return nil
		case *ast.FuncDecl:
			if o, ok := f.c.info.Defs[n.Name].(*types.Func); ok {
				return o.Signature().Results()
			}
			return nil
		}
	}
	return nil
}

// statement leaves one out, where it stands in a list of them.
func (f *finder) statement(n ast.Stmt) {
	switch f.parent(1).(type) {
	case *ast.BlockStmt, *ast.CaseClause, *ast.CommClause, *ast.LabeledStmt:
	default:
		return
	}
	if c, ok := f.parent(1).(*ast.CommClause); ok && c.Comm == n {
		return
	}
	switch n := n.(type) {
	case *ast.ExprStmt:
		if _, ok := n.X.(*ast.CallExpr); !ok {
			return
		}
	case *ast.AssignStmt:
		if n.Tok == token.DEFINE || blank(n.Lhs) {
			return
		}
	case *ast.BranchStmt:
		if n.Tok != token.BREAK && n.Tok != token.CONTINUE {
			return
		}
	case *ast.IncDecStmt, *ast.DeferStmt:
	default:
		return
	}
	f.add(drop, n, "", "if !mutantOn("+here+") { ", " }")
}

func blank(names []ast.Expr) bool {
	for _, n := range names {
		if id, ok := n.(*ast.Ident); !ok || id.Name != "_" {
			return false
		}
	}
	return true
}

// literal changes a number by one, and a string that is compared or returned.
func (f *finder) literal(n *ast.BasicLit) {
	value := f.c.info.Types[n]
	if value.Value == nil {
		return // a field's tag
	}
	inConst := f.inConst()
	name, named := f.typeName(value.Type)
	switch n.Kind {
	case token.INT, token.FLOAT:
		if f.isKey(n) {
			return
		}
		next := constant.BinaryOp(value.Value, token.ADD, constant.MakeInt64(1))
		text := next.ExactString()
		if n.Kind == token.FLOAT {
			v, _ := constant.Float64Val(next)
			text = strconv.FormatFloat(v, 'g', -1, 64)
		}
		before, after := "", ""
		if named && !inConst {
			before, after = "(", " + mutantOne["+name+"]("+here+"))"
		}
		f.around(f.add(constants, n, text, before, after))
	case token.STRING:
		if !f.compares(n) {
			return
		}
		before, after := "", ""
		if named && !inConst {
			before, after = "(", " + mutantText["+name+"]("+here+"))"
		}
		f.around(f.add(constants, n, strconv.Quote(constant.StringVal(value.Value)+"~"), before, after))
	}
}

// isKey says whether the literal is the index of an element in a composite literal.
func (f *finder) isKey(n *ast.BasicLit) bool {
	kv, ok := f.parent(1).(*ast.KeyValueExpr)
	return ok && kv.Key == n
}

func (f *finder) inConst() bool {
	for _, n := range f.stack {
		if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
			return true
		}
	}
	return false
}

// comparing are functions whose string argument is compared with another.
var comparing = map[string]bool{
	"strings.HasPrefix": true, "strings.HasSuffix": true, "strings.Contains": true, "strings.EqualFold": true, "strings.Cut": true,
	"strings.CutPrefix": true, "strings.CutSuffix": true, "strings.Index": true, "strings.LastIndex": true, "strings.TrimPrefix": true,
	"strings.TrimSuffix": true, "slices.Contains": true, "slices.Index": true,
}

// compares says whether the literal is compared with another string, or returned, itself or as a constant.
func (f *finder) compares(n *ast.BasicLit) bool {
	if spec, ok := f.parent(1).(*ast.ValueSpec); ok && f.inConst() {
		for i, v := range spec.Values {
			if v == n && i < len(spec.Names) {
				o := f.c.info.Defs[spec.Names[i]]
				return f.compared[o] && !f.ownType(o.Type())
			}
		}
	}
	return f.comparedHere()
}

// ownType says whether a type is declared in this package: its constants are names to each other, whatever their text is.
func (f *finder) ownType(t types.Type) bool {
	named, ok := t.(*types.Named)
	return ok && named.Obj().Pkg() == f.c.pkg
}

// comparedHere says whether the node that is visited is compared with something, or returned.
func (f *finder) comparedHere() bool {
	switch p := f.parent(1).(type) {
	case *ast.ReturnStmt, *ast.CaseClause:
		return true
	case *ast.BinaryExpr:
		return p.Op == token.EQL || p.Op == token.NEQ
	case *ast.CallExpr:
		if s, ok := p.Fun.(*ast.SelectorExpr); ok {
			if id, ok := s.X.(*ast.Ident); ok {
				_, isPackage := f.c.info.Uses[id].(*types.PkgName)
				return isPackage && comparing[id.Name+"."+s.Sel.Name]
			}
		}
	}
	return false
}

// comparedConstants are the constants that some expression of the package compares or returns.
func comparedConstants(c *checked) map[types.Object]bool {
	compared := map[types.Object]bool{}
	for _, file := range c.files {
		f := &finder{c: c, file: file}
		ast.Inspect(file, func(n ast.Node) bool {
			if n == nil {
				f.stack = f.stack[:len(f.stack)-1]
				return true
			}
			if id, ok := n.(*ast.Ident); ok {
				if o, ok := c.info.Uses[id].(*types.Const); ok && o.Pkg() == c.pkg && f.comparedHere() {
					compared[o] = true
				}
			}
			f.stack = append(f.stack, n)
			return true
		})
	}
	return compared
}

// boolean turns true into false and the reverse.
func (f *finder) boolean(n *ast.Ident) {
	o, ok := f.c.info.Uses[n].(*types.Const)
	if !ok || o.Pkg() != nil || n.Name != "true" && n.Name != "false" {
		return
	}
	before, after := "(", " != mutantOn("+here+"))"
	if f.inConst() {
		before, after = "", ""
	}
	f.around(f.add(constants, n, strconv.FormatBool(n.Name == "false"), before, after))
}

// named changes the value of a constant that is returned, or that a case compares with, in this place alone.
func (f *finder) named(n ast.Expr, name *ast.Ident) {
	o, ok := f.c.info.Uses[name].(*types.Const)
	if !ok || o.Pkg() == nil {
		return
	}
	switch f.parent(1).(type) {
	case *ast.ReturnStmt, *ast.CaseClause:
	default:
		return
	}
	var helper, text string
	switch o.Val().Kind() {
	case constant.String:
		helper, text = "mutantText", `+ "~"`
	case constant.Int, constant.Float:
		helper, text = "mutantOne", "+ 1"
	default:
		return
	}
	before, after := "", ""
	if name, ok := f.typeName(f.c.info.Types[n].Type); ok {
		before, after = "(", " + "+helper+"["+name+"]("+here+"))"
	}
	f.around(f.add(constants, n, "("+f.text(n)+" "+text+")", before, after))
}

// duration doubles a unit of time that stands alone; one with a number beside it is changed through the number.
func (f *finder) duration(n *ast.SelectorExpr) {
	o, ok := f.c.info.Uses[n.Sel].(*types.Const)
	if !ok || o.Pkg() == nil || o.Pkg().Path() != "time" || o.Type().String() != "time.Duration" {
		return
	}
	if b, ok := f.parent(1).(*ast.BinaryExpr); ok && (b.Op == token.MUL || b.Op == token.QUO) {
		return
	}
	text := f.text(n)
	before, after := "", ""
	if name, named := f.typeName(o.Type()); named && !f.inConst() {
		before, after = "(", " * (1 + mutantOne["+name+"]("+here+")))"
	}
	f.around(f.add(constants, n, "(2 * "+text+")", before, after))
}

// typeName writes a type as this file can name it.
func (f *finder) typeName(t types.Type) (string, bool) {
	ok := true
	name := types.TypeString(types.Default(t), func(p *types.Package) string {
		if p == f.c.pkg {
			return ""
		}
		for _, spec := range f.file.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err == nil && path == p.Path() {
				if spec.Name != nil {
					return spec.Name.Name
				}
				return p.Name()
			}
		}
		ok = false
		return p.Name()
	})
	return name, ok
}
