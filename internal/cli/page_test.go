package cli

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/org/connect2/v2/internal/test/browsertest"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/watch"
)

// stage is a sandbox that is served with its page.
type stage struct {
	*sandbox.Sandbox
	address string // of the server
	page    string // of the page
}

func newStage(t *testing.T, scenario string) *stage {
	t.Helper()
	parsed, err := sandbox.ParseScenario([]byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	s := sandbox.New(sandbox.Options{Scenario: parsed})
	showSandbox(t.Context(), s)
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return &stage{s, server.URL, server.URL + sandbox.PagePath}
}

// changes counts the calls that may have changed something.
func (s *stage) changes() (n int) {
	for _, entry := range s.Journal() {
		if entry.Mutating {
			n++
		}
	}
	return n
}

const failing = "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s, releases: [v1, v2]}\n" +
	"images: {v2: {logs: [\"INFO  ready\"]}}\n"

// pictures is the folder that pictures for the docs are written to; empty: none are.
var pictures = os.Getenv("CONNECT2_PICTURES")

func keep(t *testing.T, p *browsertest.Page, name string) {
	t.Helper()
	if pictures == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(pictures, name), p.Picture(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// seen is what a browser shows of the page.
type seen struct {
	Text     string
	Wide     float64
	CardAt   float64 // where the card begins and ends, in CSS pixels from the top
	CardEnds float64
	Lanes    []string // what each lane says
	Bars     int      // of all lanes that have a width
	Paper    string
	Ink      string
	Small    []string // what can be pressed, and is too small for a finger
}

const probe = `(() => { const at = e => e.getBoundingClientRect(), c = document.getElementById("card"), s = getComputedStyle(document.body); return {
	Text: document.body.innerText, Wide: document.documentElement.scrollWidth, CardAt: c.hidden ? -1 : at(c).top, CardEnds: c.hidden ? -1 : at(c).bottom,
	Lanes: [...document.querySelectorAll(".lane")].map(e => e.innerText.replaceAll("\n", " ")),
	Bars: [...document.querySelectorAll(".track b")].filter(e => at(e).width > 1).length, Paper: s.backgroundColor, Ink: s.color,
	Small: [...document.querySelectorAll("button:not([hidden])")].filter(e => at(e).height > 0 && at(e).height < 24).map(e => e.innerText)}; })()`

func TestPageInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	s := newStage(t, failing)
	b := browsertest.Start(t)
	p := b.Open(s.page, browsertest.Screen{Width: 1440, Height: 1000, Still: true})
	p.Await(`document.getElementById("badge").textContent.includes("steady")`)
	p.Await(`document.querySelectorAll(".lane .phase").length === 2`)

	// A release that fails, begun on the page itself; time is pushed forward there, too.
	p.Eval(`(() => { document.getElementById("tag").value = "v3"; document.getElementById("behaviour").value = "lacks a setting";
		document.querySelector("#stage-release button").click(); })()`, nil)
	p.Await(`document.getElementById("badge").textContent.includes("deploying")`)
	for range 4 {
		p.Eval(`document.querySelector("#stage-time button[value='10s']").click()`, nil)
		p.Await(`document.getElementById("stage-said").textContent.includes("10s")`)
	}
	p.Await(`!document.getElementById("card").hidden && document.getElementById("card").innerText.includes("DATABASE_URL")`)
	for _, test := range []struct {
		name   string
		screen browsertest.Screen
		paper  string
	}{
		{"watch-phone.png", browsertest.Screen{Width: 375, Height: 812, Dark: true, Still: true}, "rgb(13, 17, 23)"},
		{"watch.png", browsertest.Screen{Width: 1440, Height: 1000, Still: true}, "rgb(255, 255, 255)"},
	} {
		p.Resize(test.screen)
		p.Await(`innerWidth === ` + map[bool]string{true: "375", false: "1440"}[test.screen.Width == 375])
		var got seen
		p.Eval(probe, &got)
		keep(t, p, test.name)
		if got.Wide > float64(test.screen.Width) {
			t.Errorf("%s: %.0f pixels wide on a screen of %d: it scrolls sideways", test.name, got.Wide, test.screen.Width)
		}
		if got.CardAt < 0 || got.CardEnds > float64(test.screen.Height) {
			t.Errorf("%s: the card is from %.0f to %.0f: not in the first screen", test.name, got.CardAt, got.CardEnds)
		}
		if got.Paper != test.paper || got.Ink == got.Paper {
			t.Errorf("%s: paper %s, ink %s; want paper %s", test.name, got.Paper, got.Ink, test.paper)
		}
		for _, part := range []string{"connect2-api-dev:3 is being deployed", "KeyError: 'DATABASE_URL'", "What to do", "healthy",
			"Target health", "INFO  ready",
			"What ECS says", "connect2-api-dev:2", "Roll back to this", "failed"} {
			if !strings.Contains(got.Text, part) {
				t.Errorf("%s: %q is not visible in\n%s", test.name, part, got.Text)
			}
		}
		if !slices.ContainsFunc(got.Lanes, func(l string) bool { return strings.Contains(l, "(new)") && strings.Contains(l, "exited with 1") }) ||
			!slices.ContainsFunc(got.Lanes, func(l string) bool {
				return strings.Contains(l, "healthy") && strings.Contains(l, "connect2-api-dev:2")
			}) {
			t.Errorf("%s: lanes %q", test.name, got.Lanes)
		}
		if got.Bars < 4 || len(got.Small) > 0 {
			t.Errorf("%s: %d bars; too small: %q", test.name, got.Bars, got.Small)
		}
	}
	names := p.Names()
	for _, want := range []string{"heading: connect2-api-service-dev", "region: Log", "log: Log",
		"button: Roll back to this: connect2-api-dev:1", "link: Skip to what is shown",
		"list: Timeline of the rollout", "columnheader: Revision"} {
		if !slices.ContainsFunc(names, func(n string) bool { return n == want }) {
			t.Errorf("a screen reader is not told of %q in %q", want, names)
		}
	}

	var told string
	p.Eval(`document.querySelector("[role=status][aria-live=polite]").textContent`, &told)
	if !strings.Contains(told, "DATABASE_URL") || !strings.Contains(told, "is being deployed") {
		t.Errorf("a screen reader is told %q", told)
	}

	// The command of a rollback, by keyboard: it is shown, it stays while the page goes on, and nothing is changed.
	changes := s.changes()
	p.Press("Tab")
	var first string
	p.Eval(`document.activeElement.textContent`, &first)
	if first != "Skip to what is shown" {
		t.Errorf("the first Tab leads to %q", first)
	}
	p.Eval(`[...document.querySelectorAll("#history button")].find(e => e.ariaLabel?.endsWith("connect2-api-dev:1")).focus()`, nil)
	p.Press("Enter")
	p.Await(`document.activeElement.getAttribute("aria-expanded") === "true"`)
	p.Eval(`document.querySelector("#stage-time button[value='5m']").click()`, nil)
	p.Await(`document.getElementById("badge").textContent.includes("steady")`)
	p.Await(`document.querySelector("#history .command:not([hidden])").innerText.includes("connect2 rollback --cluster connect2-api-cluster-dev")`)
	if now := s.changes(); now != changes {
		t.Errorf("%d calls have changed something, and %d before", now, changes)
	}
}

// TestPageReconnects stops the server under an open page: what it shows stays, and it goes on with the next one.
func TestPageReconnects(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	b := browsertest.Start(t)
	s := sandbox.New(sandbox.Options{})
	showSandbox(t.Context(), s)
	var broken atomic.Bool
	handler := func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() && strings.HasSuffix(r.URL.Path, "/events") {
			http.Error(w, "gone", http.StatusBadGateway)
			return
		}
		s.ServeHTTP(w, r)
	}
	server := httptest.NewServer(http.HandlerFunc(handler))
	defer func() {
		server.CloseClientConnections()
		server.Close()
	}()
	p := b.Open(server.URL+sandbox.PagePath, browsertest.Screen{Width: 800, Height: 900})
	p.Await(`document.getElementById("badge").textContent.includes("steady")`)
	broken.Store(true)
	server.CloseClientConnections()
	p.Await(`document.getElementById("link").textContent.includes("no connection")`)
	p.Await(`document.getElementById("told").textContent.includes("Trying again")`)
	p.Await(`document.querySelectorAll(".lane").length === 2`)
	broken.Store(false)
	p.Await(`document.getElementById("link").textContent.includes("live")`)
}

// TestPageIsServed reads the page as a browser does, without one.
func TestPageIsServed(t *testing.T) {
	s := newStage(t, failing)
	before := len(s.Journal())
	answer, err := http.Get(s.page + "events")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got := answer.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("the events are %q", got)
	}
	var view watch.View
	for lines := bufio.NewReader(answer.Body); view.Service == "" || view.State == ""; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := strings.CutPrefix(line, "data: {"); ok && strings.Contains(data, `"service"`) {
			if err := json.Unmarshal([]byte("{"+data), &view); err != nil {
				t.Fatal(err)
			}
		}
	}
	if view.State != "steady" || len(view.Lanes) != 2 || view.Stage == nil || !slices.Contains(view.Stage.Tags, "v2") ||
		view.Lanes[0].Phase != watch.Healthy || len(view.Targets) != 2 || len(view.History) != 2 {
		t.Errorf("got %+v", view)
	}
	if now := len(s.Journal()); now != before {
		t.Errorf("the page is in the journal: %d calls more", now-before)
	}
}

func TestPageIsForThisMachine(t *testing.T) {
	s := newStage(t, "")
	for _, test := range []struct {
		name         string
		method, path string
		header       map[string]string
		host         string
		want         int
	}{
		{"the page", "GET", "page/", nil, "", 200},
		{"by another name", "GET", "page/", nil, "evil.example:4566", 403},
		{"its events by another name", "GET", "page/events", nil, "evil.example:4566", 403},
		{"what it shows by another name", "GET", "page/view.json", nil, "evil.example:4566", 403},
		{"a post to the page", "POST", "page/", nil, "", 405},
		{"nothing there", "GET", "page/else", nil, "", 404},
		{"a control, by a program", "POST", "time", nil, "", 200},
		{"a control, by a program that calls us otherwise", "POST", "time", nil, "sandbox:4566", 200},
		{"a control, by the page", "POST", "time", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": s.address}, "", 200},
		{"by a page of another site", "POST", "time", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
			"", 403},
		{"by one on another port", "POST", "time", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"}, "", 403},
		{"by an old browser", "POST", "time", map[string]string{"Origin": "https://evil.example"}, "", 403},
		{"by a name that was bound to us", "POST", "time",
			map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example:4566"}, "evil.example:4566", 403},
		{"the journal by that name", "GET", "journal", map[string]string{"Sec-Fetch-Site": "same-origin"}, "evil.example:4566", 403},
		{"ending faults from another site", "DELETE", "faults", map[string]string{"Sec-Fetch-Site": "cross-site"}, "", 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), test.method, s.address+"/_sandbox/"+test.path,
				strings.NewReader(`{"forward": "1s"}`))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range test.header {
				request.Header.Set(name, value)
			}
			request.Host = test.host
			before := s.Now()
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(io.LimitReader(answer.Body, 300))
			answer.Body.Close()
			if answer.StatusCode != test.want {
				t.Errorf("answered %d, want %d: %s", answer.StatusCode, test.want, body)
			}
			if moved := s.Now().Sub(before) >= 1e9; moved != (test.path == "time" && test.want == 200) {
				t.Errorf("the clock was moved: %v", moved)
			}
		})
	}
	answer, err := http.Get(s.page)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	for header, want := range map[string]string{"Content-Security-Policy": "default-src 'none'; connect-src 'self'",
		"Cache-Control":          "no-store",
		"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"} {
		if got := answer.Header.Get(header); !strings.Contains(got, want) {
			t.Errorf("%s: %q", header, got)
		}
	}
}

func TestRollout(t *testing.T) {
	s := newStage(t, failing)
	for _, test := range []struct{ tag, start, want string }{
		{"v 3", "", "is not an image tag"},
		{"", "", "is not an image tag"},
		{"v3", "explodes", "there is no behaviour"},
	} {
		if err := s.Rollout(test.tag, test.start); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q, %q: %v, want %s", test.tag, test.start, err, test.want)
		}
	}
	for _, start := range append(sandbox.Presets(), "") {
		if err := s.Rollout("v9", start); err != nil {
			t.Errorf("%s: %v", start, err)
		}
	}
	if !slices.Contains(s.Tags(), "v9") {
		t.Errorf("the repository has %q", s.Tags())
	}
	if err := s.Inject(sandbox.Fault{Action: "ecs:*", Answer: sandbox.Throttle, Every: 3, Skip: 2, Times: 4}); err != nil {
		t.Fatal(err)
	}
	if got := stageOf(s.Sandbox).Faults; len(got) != 1 || got[0].Text != "every 3 calls, after 2 calls, 0 of 4 times so far" {
		t.Errorf("got %+v", got)
	}
}
