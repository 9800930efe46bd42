package taskdef

import (
	"fmt"
	"strings"
	"testing"
)

// sized is a right document of these sizes, with more fields.
func sized(cpu, memory, more string) string {
	return fmt.Sprintf(`{"networkMode":"awsvpc","cpu":%s,"memory":%s%s,"containerDefinitions":[{"name":"a","image":"i"}]}`, cpu, memory, more)
}

func checked(t *testing.T, source string) string {
	t.Helper()
	return strings.Join(mustParse(t, source).Check(), "\n")
}

// TestSizes holds the sizes that Fargate has, at both ends and one step beside them.
func TestSizes(t *testing.T) {
	for _, tt := range []struct {
		cpu  int
		good []int
		bad  []int
	}{
		{256, []int{512, 1024, 2048}, []int{511, 513, 1025, 1536, 2049, 4096}},
		{512, []int{1024, 2048, 4096}, []int{512, 1025, 4097, 5120}},
		{1024, []int{2048, 8192}, []int{1024, 2049, 8193, 9216}},
		{2048, []int{4096, 5120, 16384}, []int{3072, 4097, 16385, 17408}},
		{4096, []int{8192, 9216, 30720}, []int{7168, 8193, 30721, 31744}},
		{8192, []int{16384, 20480, 61440}, []int{12288, 16385, 17408, 61441, 65536}},
		{16384, []int{32768, 40960, 122880}, []int{24576, 32769, 36864, 122881, 131072}},
	} {
		for _, memory := range tt.good {
			if got := checked(t, sized(fmt.Sprintf(`"%d"`, tt.cpu), fmt.Sprintf(`"%d"`, memory), "")); got != "" {
				t.Errorf("%d with %d: %s", tt.cpu, memory, got)
			}
		}
		for _, memory := range tt.bad {
			if got := checked(t, sized(fmt.Sprintf(`"%d"`, tt.cpu), fmt.Sprintf(`"%d"`, memory), "")); !strings.Contains(got, "Fargate has") {
				t.Errorf("%d with %d: %q", tt.cpu, memory, got)
			}
		}
	}
	const windows = `,"runtimePlatform":{"operatingSystemFamily":"WINDOWS_SERVER_2022_CORE"}`
	const none = ": Fargate needs a number of CPU units"
	for name, tt := range map[string]struct{ document, want string }{
		"more CPU than is known":     {sized(`"32768"`, `"122880"`, ""), ""},
		"CPU between sizes":          {sized(`"300"`, `"1024"`, ""), "cpu 300: Fargate has 256, 512, 1024, 2048, 4096, 8192 and 16384"},
		"CPU just below the most":    {sized(`"16383"`, `"122880"`, ""), "cpu 16383: Fargate has 256, 512, 1024, 2048, 4096, 8192 and 16384"},
		"CPU just above the most":    {sized(`"16385"`, `"122880"`, ""), ""},
		"in vCPU and GB":             {sized(`".5 vCPU"`, `"1 GB"`, ""), ""},
		"Windows, the least":         {sized(`"1024"`, `"2048"`, windows), ""},
		"Windows, the most":          {sized(`"4096"`, `"8192"`, windows), ""},
		"Windows, too little":        {sized(`"512"`, `"1024"`, windows), "cpu 512: Fargate has Windows with 1024, 2048 and 4096"},
		"Windows, a unit too much":   {sized(`"4097"`, `"8192"`, windows), "cpu 4097: Fargate has Windows with 1024, 2048 and 4096"},
		"Windows, too much":          {sized(`"8192"`, `"16384"`, windows), "cpu 8192: Fargate has Windows with 1024, 2048 and 4096"},
		"CPU of a number":            {sized(`256`, `512`, ""), ""},
		"CPU of 0":                   {sized(`0`, `"512"`, ""), "cpu of the task is 0" + none},
		"CPU of words":               {sized(`"much"`, `"512"`, ""), `cpu of the task is "much"` + none},
		"half a CPU unit":            {sized(`"256.5"`, `"512"`, ""), `cpu of the task is "256.5"` + none},
		"negative CPU":               {sized(`"-256"`, `"512"`, ""), `cpu of the task is "-256"` + none},
		"endless CPU":                {sized(`"1e10"`, `"512"`, ""), `cpu of the task is "1e10"` + none},
		"no CPU":                     {strings.Replace(sized(`1`, `"512"`, ""), `"cpu":1,`, "", 1), "cpu of the task is not set" + none},
		"CPU beyond all numbers":     {sized(`"1e999"`, `"512"`, ""), `cpu of the task is "1e999"` + none},
		"the most CPU that is one":   {sized(`"2147483647"`, `"512"`, ""), ""},
		"CPU of null":                {sized(`null`, `"512"`, ""), "cpu of the task is not set" + none},
		"CPU of a list":              {sized(`[]`, `"512"`, ""), ""},
		"CPU of true":                {sized(`true`, `"512"`, ""), ""},
		"memory of 0":                {sized(`"256"`, `0`, ""), "memory of the task is 0: Fargate needs a number of MiB"},
		"memory of null":             {sized(`"256"`, `null`, ""), "memory of the task is not set: Fargate needs a number of MiB"},
		"one name for two":           {strings.Replace(sized(`"256"`, `"512"`, ""), `[{`, `[{"name":"a","image":"j"},{`, 1), "container name a is used twice"},
		"no host port":               {ports(`"hostPort":0,"containerPort":80`), ""},
		"a host port of its own":     {ports(`"hostPort":80.0,"containerPort":80`), ""},
		"another host port":          {ports(`"hostPort":81,"containerPort":80`), "container a maps host port 81 to 80: with awsvpc both must be the same"},
		"a host port alone":          {ports(`"hostPort":81,"containerPortRange":"80-90"`), ""},
		"a host port in quotes":      {ports(`"hostPort":"81","containerPort":80`), ""},
		"a container port in quotes": {ports(`"hostPort":81,"containerPort":"80"`), ""},
		"all of the task's":          {shares("256", "512", `"cpu":256,"memory":512`), ""},
		"a unit more":                {shares("256", "512", `"cpu":257`), "the containers take 257 CPU units, and the task has 256"},
		"a MiB more":                 {shares("256", "512", `"memory":513`), "the containers reserve 513 MiB of memory, and the task has 512"},
		"as much as it may have":     {shares("256", "512", `"memory":512,"memoryReservation":512`), ""},
		"more than it may have":      {shares("256", "512", `"memory":1,"memoryReservation":2`), "container a reserves 2 MiB of memory and may have 1"},
		"a share in quotes":          {shares("256", "512", `"cpu":"999","memory":"999"`), ""},
		"a share of a fraction":      {shares("256", "512", `"cpu":999.5`), ""},
		"a limit of a fraction":      {shares("256", "512", `"memory":0.5,"memoryReservation":2`), ""},
		"a share beyond all numbers": {shares("256", "512", `"cpu":99999999999999999999`), ""},
		"more than a task of one unit": {shares("1", "1", `"cpu":2,"memory":2`),
			"cpu 1: Fargate has 256, 512, 1024, 2048, 4096, 8192 and 16384\nthe containers take 2 CPU units, and the task has 1\n" +
				"the containers reserve 2 MiB of memory, and the task has 1"},
	} {
		if got := checked(t, tt.document); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	if (Document{}).Check() != nil {
		t.Error("no document has problems")
	}
	unsized := `{"networkMode":"awsvpc","containerDefinitions":[{"name":"a","image":"i","cpu":5,"memory":5}]}`
	want := "cpu of the task is not set: Fargate needs a number of CPU units\nmemory of the task is not set: Fargate needs a number of MiB"
	if got := checked(t, unsized); got != want {
		t.Errorf("%q", got)
	}
}

func ports(mapping string) string {
	return strings.Replace(sized(`"256"`, `"512"`, ""), `"image":"i"`, `"image":"i","portMappings":[{`+mapping+`}]`, 1)
}

func shares(cpu, memory, container string) string {
	return strings.Replace(sized(`"`+cpu+`"`, `"`+memory+`"`, ""), `"image":"i"`, `"image":"i",`+container, 1)
}

func TestPortRanges(t *testing.T) {
	d := mustParse(t, `{"containerDefinitions":[{"name":"r","portMappings":[{"containerPortRange":"100-200"},{"containerPort":300}]},
		{"name":"x","portMappings":[{"containerPortRange":"100"},{"containerPortRange":"a-200"},{"containerPortRange":"100-b"}]}]}`)
	for port, want := range map[int]string{
		100: "", 150: "", 200: "", 300: "",
		99:  "container r has no port 99; it has 100-200, 300",
		201: "container r has no port 201; it has 100-200, 300",
	} {
		if got := d.CheckPort("r", port); got != want {
			t.Errorf("%d: %q, want %q", port, got, want)
		}
	}
	if got, want := d.CheckPort("x", 150), "container x has no port 150; it has 0, 0, 0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCheckVolume(t *testing.T) {
	d := mustParse(t, `{"volumes":[{"name":"tmp"},{"name":"off","configuredAtLaunch":false},{"name":"data","configuredAtLaunch":true}],
		"containerDefinitions":[{"name":"a"}]}`)
	for name, want := range map[string]string{
		"data":     "",
		"tmp":      "volume tmp is not marked configuredAtLaunch",
		"off":      "volume off is not marked configuredAtLaunch",
		"dat":      `there is no volume "dat"; did you mean data?`,
		"zzzzzzzz": `there is no volume "zzzzzzzz"`,
	} {
		if got := d.CheckVolume(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
