package taskdef

import (
	"strings"
	"testing"
)

func TestPlatform(t *testing.T) {
	for _, test := range []struct {
		name, runtime, want string
		has                 []string
		refused             bool
	}{
		{"none is named", ``, "linux/amd64", nil, false},
		{"without a runtime platform", ``, "linux/amd64", []string{"linux/amd64"}, false},
		{"for another architecture alone", ``, "linux/amd64", []string{"linux/arm64/v8"}, true},
		{"one of several", ``, "linux/amd64", []string{"linux/arm64", "linux/amd64"}, false},
		{"a variant", `,"runtimePlatform":{"cpuArchitecture":"ARM64","operatingSystemFamily":"LINUX"}`, "linux/arm64", []string{"linux/arm64/v8"}, false},
		{"the wrong way round", `,"runtimePlatform":{"cpuArchitecture":"ARM64"}`, "linux/arm64", []string{"linux/amd64"}, true},
		{"Windows with its version", `,"runtimePlatform":{"operatingSystemFamily":"WINDOWS_SERVER_2022_CORE"}`, "windows/amd64", []string{"windows/amd64:10.0.20348.2700"}, false},
		{"Linux on Windows", `,"runtimePlatform":{"operatingSystemFamily":"WINDOWS_SERVER_2022_CORE"}`, "windows/amd64", []string{"linux/amd64"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			doc, err := Parse([]byte(`{"family":"api","containerDefinitions":[{"name":"app","image":"api:1"}]` + test.runtime + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if got := doc.Platform(); got != test.want {
				t.Errorf("platform %s, want %s", got, test.want)
			}
			err = doc.CheckPlatforms(test.has)
			if (err != nil) != test.refused {
				t.Errorf("%v: %v", test.has, err)
			}
			if err != nil && (!strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.has[0])) {
				t.Errorf("%q names neither what is wanted nor what is there", err)
			}
		})
	}
}
