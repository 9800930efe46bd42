package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/org/connect2/v2/internal/loopback"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// encode marshals what is known to marshal.
func encode(v any) json.RawMessage {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// control answers the sandbox's own controls. Bodies are JSON or YAML, with unknown members refused.
func (s *Sandbox) control(w http.ResponseWriter, r *http.Request) {
	controls := map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /_sandbox":              s.controlStatus,
		"GET /_sandbox/journal":      s.controlJournal,
		"DELETE /_sandbox/journal":   func(http.ResponseWriter, *http.Request) error { s.ResetJournal(); return nil },
		"POST /_sandbox/faults":      s.controlFault,
		"DELETE /_sandbox/faults":    func(http.ResponseWriter, *http.Request) error { s.ClearFaults(); return nil },
		"POST /_sandbox/behaviour":   s.controlBehaviour,
		"POST /_sandbox/policy":      s.controlPolicy,
		"POST /_sandbox/credentials": s.controlCredentials,
		"POST /_sandbox/time":        s.controlTime,
		"POST /_sandbox/rollout":     s.controlRollout,
		"GET " + tokenPath:           s.controlToken,
	}
	if err := fromHere(r); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	run := controls[r.Method+" "+r.URL.Path]
	if run == nil {
		http.Error(w, fmt.Sprintf("the sandbox has no control %s %s; there are:\n%s", r.Method, r.URL.Path, listed(controls)),
			http.StatusNotFound)
		return
	}
	w.Header().Set("Date", s.clock.Now().UTC().Format(http.TimeFormat))
	if err := run(w, r); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if s.changed != nil && r.Method != http.MethodGet {
		s.changed()
	}
}

// fromHere refuses what a browser sends for a page of another site: such a page may not change the world, nor read it under a name of
// its own that leads here. Programs that are no browsers send none of the headers that this looks at.
func fromHere(r *http.Request) error {
	browser := r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
	if browser && !loopback.Names(r.Host) {
		return fmt.Errorf("a browser reaches the sandbox's controls by 127.0.0.1 or localhost alone, not by %q", r.Host)
	}
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return fmt.Errorf("a page of another site may not change the sandbox: %w", err)
	}
	return nil
}

func listed[T any](controls map[string]T) string {
	out := ""
	for _, name := range sortedKeys(controls) {
		out += name + "\n"
	}
	return out
}

func (s *Sandbox) controlStatus(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(object{
		"time": s.clock.Now(), "speed": s.scenario.Speed, "account": s.scenario.Account, "region": s.scenario.Region,
		"cluster": s.scenario.Service.Cluster, "service": s.scenario.Service.Name, "repository": s.scenario.Service.Repository,
	})
}

// controlJournal writes one JSON object a line.
func (s *Sandbox) controlJournal(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/x-ndjson")
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, entry := range s.Journal() {
		_ = encoder.Encode(entry) // a reader that has gone needs no answer
	}
	return nil
}

// read decodes a control's body.
func read(r *http.Request, v any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return err
	}
	return decodeStrictly(body, v)
}

func (s *Sandbox) controlFault(_ http.ResponseWriter, r *http.Request) error {
	var f Fault
	if err := read(r, &f); err != nil {
		return err
	}
	return s.Inject(f)
}

func (s *Sandbox) controlBehaviour(_ http.ResponseWriter, r *http.Request) error {
	var in struct {
		Image     string           `yaml:"image"`
		Behaviour engine.Behaviour `yaml:"behaviour"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	if in.Image == "" {
		return fmt.Errorf("image is missing: a reference, repository:tag, tag, digest, or \"*\"")
	}
	s.SetBehaviour(in.Image, in.Behaviour)
	return nil
}

func (s *Sandbox) controlPolicy(_ http.ResponseWriter, r *http.Request) error {
	var in struct {
		Name   string  `yaml:"name"`
		Policy *Policy `yaml:"policy"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	return s.SetPolicy(in.Name, in.Policy)
}

func (s *Sandbox) controlCredentials(_ http.ResponseWriter, r *http.Request) error {
	var in CredentialsScenario
	if err := read(r, &in); err != nil {
		return err
	}
	s.ExpireCredentials(durationOf(in.ExpireAfter))
	return nil
}

func (s *Sandbox) controlTime(_ http.ResponseWriter, r *http.Request) error {
	var in struct {
		Forward engine.Duration `yaml:"forward"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	s.Forward(durationOf(in.Forward))
	return nil
}

func (s *Sandbox) controlRollout(_ http.ResponseWriter, r *http.Request) error {
	var in struct {
		Tag   string `yaml:"tag"`
		Start string `yaml:"start"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	return s.Rollout(in.Tag, in.Start)
}
