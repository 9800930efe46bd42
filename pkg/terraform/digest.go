package terraform

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/argon2"
)

// trace is what a plan's digest is made of.
type trace struct {
	changes   []fingerprint
	secrets   []fingerprintText // sensitive values, for the stretched part
	variables []byte
}

type fingerprint struct {
	address string
	sum     hash.Hash
}

type fingerprintText struct{ address, text string }

// record begins the fingerprint of a change and returns what its differences are to be given to.
//
// What counts is what Terraform will do: the action, and each difference with both its sides. What stays the same does not
// count (an autoscaled count that the configuration ignores may move between two plans), nor does the old value of what
// becomes known during apply, nor the attributes of what is deleted beyond its ID.
func (t *trace) record(c Change, v values, clean func(string) string, secrets *hider) leafFunc {
	f := fingerprint{address: c.Address + "\x00" + c.Deposed, sum: sha256.New()}
	t.changes = append(t.changes, f)
	fmt.Fprintf(f.sum, "%q %q %q %q\n", c.Action, c.Previous, c.Importing, c.Type)
	if c.Action.Destroys() {
		if before, ok := v.before.(map[string]any); ok {
			fmt.Fprintf(f.sum, "id %s\n", clean(canonical(before["id"])))
		}
	}
	return func(path string, before, after side, secret bool) {
		if c.Action == Delete {
			return
		}
		left, right := canonical(before.value), canonical(after.value)
		if after.unknown == true {
			fmt.Fprintf(f.sum, "%q %s -> %s\n", path, "", "unknown")
			return
		}
		known := secrets.within(before.value) || secrets.within(after.value)
		if secret || known || holdsSecret("", before.value, before.sensitive) || holdsSecret("", after.value, after.sensitive) {
			t.secrets = append(t.secrets, fingerprintText{c.Address, clean(path + " " + left + " " + right)})
			left = canonical(secrets.clear(withoutSecrets("", before.value, orAll(before.sensitive, secret), nil)))
			right = canonical(secrets.clear(withoutSecrets("", after.value, orAll(after.sensitive, secret), after.unknown)))
		} else if isMarked(after.unknown) {
			right = canonical(withoutSecrets("", after.value, nil, after.unknown))
		}
		fmt.Fprintf(f.sum, "%q %s -> %s\n", path, clean(left), clean(right))
	}
}

func orAll(marks any, all bool) any {
	if all {
		return true
	}
	return marks
}

// canonical writes a value as JSON with sorted keys.
func canonical(v any) string {
	if s, ok := v.(string); ok && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r > '~' }) {
		return `"` + s + `"`
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "?"
	}
	return strings.TrimSpace(b.String())
}

// Binding is what a plan depends on beside what it says: two plans are the same only if these are.
type Binding struct {
	Configuration string // hash of the configuration and its modules: HashConfiguration
	Versions      string // of Terraform and of the providers
	Inputs        string // whatever else was given, in one order: targets, workspace, backend
	Drift         bool   // what changed outside of Terraform is what is to be applied: -refresh-only
}

// Digest says whether two plans are the same. It may be shown: sensitive values and variables go into it through argon2id,
// so that trying out a guess costs as much as it does for a password.
type Digest struct {
	Whole         string // sha256:HEX, the digest proper
	Configuration string // the parts, 8 hexadecimal digits each: they say where two digests differ, and prove nothing
	Versions      string
	Inputs        string
	Actions       string // which resources, and what happens to each
	Values        string // what becomes of their attributes
}

// Digest returns the plan's digest.
func (p *Plan) Digest(b Binding) Digest {
	changes, fingerprints, secrets := p.Changes, slices.Clone(p.trace.changes), slices.Clone(p.trace.secrets)
	if b.Drift {
		changes = slices.Concat(changes, p.Drift)
		fingerprints, secrets = append(fingerprints, p.drift.changes...), append(secrets, p.drift.secrets...)
	}
	slices.SortStableFunc(fingerprints, func(a, b fingerprint) int { return strings.Compare(a.address, b.address) })
	slices.SortStableFunc(secrets, func(a, b fingerprintText) int { return strings.Compare(a.address, b.address) })

	actions, values := sha256.New(), sha256.New()
	for _, c := range changes {
		fmt.Fprintf(actions, "%q %q %q\n", c.Address, c.Deposed, c.Action)
	}
	for _, f := range fingerprints {
		fmt.Fprintf(values, "%q %x\n", f.address, f.sum.Sum(nil))
	}
	var hidden bytes.Buffer
	for _, s := range secrets {
		fmt.Fprintf(&hidden, "%q %q\n", s.address, s.text)
	}
	var inputs []byte
	var both sync.WaitGroup
	both.Go(func() { inputs = stretched(fmt.Appendf(nil, "%q %q", p.trace.variables, b.Inputs), b.Configuration) })
	values.Write(stretched(hidden.Bytes(), b.Configuration))
	both.Wait()

	whole := sha256.New()
	fmt.Fprintf(whole, "connect2 plan 1\n%q\n%q\n%x\n%x\n%x\n", b.Configuration, b.Versions, inputs, actions.Sum(nil), values.Sum(nil))
	return Digest{
		Whole:         "sha256:" + hex.EncodeToString(whole.Sum(nil)),
		Configuration: short([]byte(b.Configuration)), Versions: short([]byte(b.Versions)), Inputs: short(inputs),
		Actions: short(actions.Sum(nil)), Values: short(values.Sum(nil)),
	}
}

// stretched makes guessing what the text was expensive: argon2id with the parameters that OWASP's Password Storage Cheat
// Sheet names first (19 MiB, two passes).
func stretched(text []byte, salt string) []byte {
	if len(text) == 0 {
		return nil
	}
	return argon2.IDKey(text, fmt.Appendf(nil, "connect2 plan %s", salt), 2, 19<<10, 1, 32)
}

func short(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:4])
}

// String writes the digest in one line, without blanks: "sha256:HEX;configuration=…;versions=…;inputs=…;actions=…;values=…".
func (d Digest) String() string {
	var b strings.Builder
	b.WriteString(d.Whole)
	for _, part := range d.parts() {
		fmt.Fprintf(&b, ";%s=%s", part.name, *part.value)
	}
	return b.String()
}

type digestPart struct {
	name  string
	value *string
	told  string
}

func (d *Digest) parts() []digestPart {
	return []digestPart{
		{"configuration", &d.Configuration, "the configuration, one of its modules, or the lock file"},
		{"versions", &d.Versions, "the version of Terraform or of a provider"},
		{"inputs", &d.Inputs, "a variable, or what was asked for (workspace, targets, backend)"},
		{"actions", &d.Actions, "what happens to which resource"},
		{"values", &d.Values, "the values that resources get, or had"},
	}
}

// ParseDigest reads what String wrote. A bare "sha256:HEX" will do, but cannot tell where two plans differ.
func ParseDigest(s string) (Digest, error) {
	whole, rest, _ := strings.Cut(strings.TrimSpace(s), ";")
	sum, err := hex.DecodeString(strings.TrimPrefix(whole, "sha256:"))
	if err != nil || len(sum) != sha256.Size || !strings.HasPrefix(whole, "sha256:") {
		return Digest{}, fmt.Errorf("%q is not the digest of a plan: want the output plan-digest of a plan, sha256: and 64 hexadecimal digits", s)
	}
	d := Digest{Whole: whole}
	for _, text := range strings.Split(rest, ";") {
		name, value, _ := strings.Cut(text, "=")
		for _, part := range d.parts() {
			if part.name == name {
				*part.value = value
			}
		}
	}
	return d, nil
}

// Same says whether both are of the same plan.
func (d Digest) Same(other Digest) bool { return d.Whole == other.Whole }

// Differs tells where two digests differ, in words, as far as both know; none when they are the same.
func (d Digest) Differs(other Digest) []string {
	if d.Same(other) {
		return nil
	}
	var told []string
	theirs := other.parts()
	for i, part := range d.parts() {
		if *part.value != "" && *theirs[i].value != "" && *part.value != *theirs[i].value {
			told = append(told, part.told)
		}
	}
	return told
}
