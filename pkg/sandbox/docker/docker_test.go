package docker

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// dockerd answers as far as this package asks. What it is told to refuse it refuses.
type dockerd struct {
	*httptest.Server
	refuse  map[string]string // message by "METHOD /path", of which the container's name is cut
	logs    []byte
	hold    chan struct{} // the log goes on until it is closed
	oom     bool
	loadErr string // comes after the status, as it does

	mu    sync.Mutex
	calls []string
	spec  map[string]any
	image []byte
}

// named is the name of a container: the runner's own, the task's id, the container's.
var named = regexp.MustCompile(`connect2-[a-z0-9]{8}-t1-app`)

func newDockerd(t *testing.T) *dockerd {
	d := &dockerd{refuse: map[string]string{}, hold: make(chan struct{})}
	d.Server = httptest.NewServer(d)
	t.Cleanup(d.Close)
	return d
}

func (d *dockerd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	call := r.Method + " " + named.ReplaceAllString(r.URL.Path, "NAME")
	if at := strings.Index(call, "/images/connect2-sandbox-"); at >= 0 {
		call = call[:at] + "/images/IMAGE"
	}
	d.mu.Lock()
	d.calls = append(d.calls, call)
	message := d.refuse[call]
	d.mu.Unlock()
	if message != "" {
		status, text, _ := strings.Cut(message, " ")
		w.WriteHeader(map[string]int{"404": 404, "500": 500}[status])
		fmt.Fprintf(w, `{"message": %q}`, text)
		return
	}
	switch call {
	case "POST /images/load":
		d.image = body
		fmt.Fprintf(w, `{"stream": "Loaded image"} {"error": %q}`, d.loadErr)
	case "POST /containers/create":
		d.mu.Lock()
		defer d.mu.Unlock()
		_ = json.Unmarshal(body, &d.spec)
	case "GET /containers/NAME/logs":
		_, _ = w.Write(d.logs)
		w.(http.Flusher).Flush()
		select {
		case <-d.hold:
		case <-r.Context().Done():
		}
	case "POST /containers/NAME/stop":
		close(d.hold)
	case "GET /containers/NAME/json":
		fmt.Fprintf(w, `{"State": {"ExitCode": 3, "OOMKilled": %v}}`, d.oom)
	}
}

func (d *dockerd) did() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

func frame(stream byte, text string) []byte {
	head := [8]byte{stream}
	binary.BigEndian.PutUint32(head[4:], uint32(len(text)))
	return append(head[:], text...)
}

var job = engine.Job{
	Task: "t1", Container: "app", Image: "host/api:v2", Digest: "sha256:" + strings.Repeat("a", 64), Platform: "linux/amd64",
	Save: func(w io.Writer, name, _ string) error {
		_, err := io.WriteString(w, "archive of "+name[:17])
		return err
	},
	Command: []string{"alembic", "upgrade"}, Environment: map[string]string{"B": "2\n3", "A": "1"}, User: "10001",
	ReadOnly: true, Tmpfs: map[string]string{"/tmp": "size=64m"}, Memory: 512 << 20,
}

// until polls as the engine does when somebody looks, and gathers the lines.
func until(t *testing.T, p engine.Process, phase engine.Phase) (engine.Progress, []string) {
	t.Helper()
	var lines []string
	for begin := time.Now(); time.Since(begin) < 10*time.Second; {
		now := p.Poll()
		lines = append(lines, now.Lines...)
		if now.Phase >= phase {
			return now, lines
		}
		<-time.After(time.Millisecond)
	}
	t.Fatalf("phase %d does not come", phase)
	return engine.Progress{}, nil
}

func connect(t *testing.T, d *dockerd) *Runner {
	t.Helper()
	r, err := Connect(t.Context(), "tcp://"+strings.TrimPrefix(d.URL, "http://"), "host")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestLifeOfAContainer(t *testing.T) {
	d := newDockerd(t)
	d.oom = true
	d.logs = append(frame(1, "one\ntw"), append(frame(2, "a warning\n"), frame(1, "o\nlast")...)...)
	r := connect(t, d)
	p := r.Run(job)
	until(t, p, engine.Made)
	if slices.Contains(d.did(), "POST /containers/NAME/start") {
		t.Error("it starts by itself")
	}
	p.Start()
	p.Start()
	_, early := until(t, p, engine.Started)
	p.Stop(5 * time.Second)
	end, late := until(t, p, engine.Exited)
	if end.Phase != engine.Exited || end.ExitCode != 3 || !end.OutOfMemory {
		t.Errorf("it ended as %+v", end)
	}
	if lines := append(early, late...); !slices.Equal(lines, []string{"one", "a warning", "two", "last"}) {
		t.Errorf("lines %q", lines)
	}
	if string(d.image) != "archive of connect2-sandbox-" {
		t.Errorf("loaded was %q", d.image)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	want := []string{"GET /_ping", "POST /images/load", "POST /containers/create", "POST /containers/NAME/start", "GET /containers/NAME/logs",
		"POST /containers/NAME/stop", "POST /containers/NAME/wait", "GET /containers/NAME/json",
		"DELETE /containers/NAME", "DELETE /images/IMAGE"}
	calls := d.did()
	slices.Sort(calls) // the log and the stop come in any order
	slices.Sort(want)
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Error(diff)
	}
	host := d.spec["HostConfig"].(map[string]any)
	if got := fmt.Sprintf("%q %v %v %v %v %v %v %v", d.spec["Env"], d.spec["User"], d.spec["Cmd"], d.spec["Entrypoint"],
		host["ReadonlyRootfs"], host["Memory"], host["NetworkMode"], host["Tmpfs"]); got !=
		`["A=1" "B=2\n3"] 10001 [alembic upgrade] <nil> true 5.36870912e+08 host map[/tmp:size=64m]` {
		t.Errorf("made was %s", got)
	}
}

// TestEndsEarly tables the phases that a container ends in, and what is taken away then.
func TestEndsEarly(t *testing.T) {
	broken := job
	broken.Save = func(io.Writer, string, string) error { return errors.New("the layer is gone") }
	foreign := job
	foreign.Save = nil
	for _, test := range []struct {
		name    string
		job     engine.Job
		refuse  map[string]string
		loadErr string
		phase   engine.Phase
		failure string
		removes bool
	}{
		{"the archive breaks off", broken, nil, "", engine.NotPulled, "the layer is gone", false},
		{"the engine cannot read it", job, nil, "invalid tar header", engine.NotPulled, "invalid tar header", false},
		{"an image of elsewhere is not there", foreign, map[string]string{"POST /containers/create": "404 No such image: host/api:v2"}, "",
			engine.NotPulled, "No such image: host/api:v2", true},
		{"it cannot be made", job, map[string]string{"POST /containers/create": "500 invalid CapAdd"}, "",
			engine.NotMade, "invalid CapAdd", true},
		{"it cannot be started", job, map[string]string{"POST /containers/NAME/start": "500 exec failed"}, "",
			engine.NotBegun, "exec failed", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDockerd(t)
			d.refuse, d.loadErr = test.refuse, test.loadErr
			r := connect(t, d)
			p := r.Run(test.job)
			p.Start()
			end, _ := until(t, p, engine.Exited)
			if end.Phase != test.phase || !strings.Contains(end.Failure, test.failure) {
				t.Errorf("phase %d %q", end.Phase, end.Failure)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if got := slices.Contains(d.did(), "DELETE /containers/NAME"); got != test.removes {
				t.Errorf("removed: %v", got)
			}
		})
	}
}

// TestCloseEndsWhatRuns: nothing outlives the sandbox, whatever it is doing.
func TestCloseEndsWhatRuns(t *testing.T) {
	d := newDockerd(t)
	r := connect(t, d)
	p := r.Run(job)
	p.Start()
	until(t, p, engine.Started)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if calls := d.did(); !slices.Contains(calls, "DELETE /containers/NAME") || !slices.Contains(calls, "DELETE /images/IMAGE") {
		t.Errorf("calls %q", calls)
	}
}

func TestConnectSaysWhatToDo(t *testing.T) {
	for host, want := range map[string]string{
		"unix:///nowhere/docker.sock": "the Docker engine at unix:///nowhere/docker.sock does not answer: ",
		"ssh://builder":               `the Docker engine's address "ssh://builder": only unix:// and tcp://`,
	} {
		if _, err := Connect(t.Context(), host, "host"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestDemultiplex(t *testing.T) {
	long := strings.Repeat("x", longest)
	for _, test := range []struct {
		name   string
		stream []byte
		want   []string
	}{
		{"lines over frames", slices.Concat(frame(1, "o"), frame(1, "ne\r\ntwo\n"), frame(1, "rest")), []string{"one", "two", "rest"}},
		{"streams apart", slices.Concat(frame(1, "out"), frame(2, "err\n"), frame(1, "put\n")), []string{"err", "output"}},
		{"empty lines stay", frame(1, "\n\na\n"), []string{"", "", "a"}},
		{"too long a line", frame(1, long+"tail\n"), []string{long, "tail"}},
		{"nothing", nil, nil},
	} {
		var got []string
		if err := demultiplex(bytes.NewReader(test.stream), func(line string) { got = append(got, line) }); err != nil ||
			!slices.Equal(got, test.want) {
			t.Errorf("%s: %d lines %.80q, %v", test.name, len(got), got, err)
		}
	}
	if err := demultiplex(bytes.NewReader(frame(1, "cut")[:9]), func(string) {}); err == nil {
		t.Error("a frame that breaks off is not an error")
	}
}
