package action

import (
	"runtime/debug"
	"strings"
)

// version is set by a release's build: -ldflags "-X github.com/org/connect2/v2/pkg/action.version=v2.1.0".
var version string

// Version returns what this binary was built from: the release, or the module's version, or the commit ("devel" with its
// first characters, "+dirty" where files were changed).
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	v := "devel"
	dirty := false
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			v += "-" + setting.Value[:min(len(setting.Value), 12)]
		case "vcs.modified":
			dirty = setting.Value == "true"
		}
	}
	if dirty && !strings.HasSuffix(v, "+dirty") {
		v += "+dirty"
	}
	return v
}
