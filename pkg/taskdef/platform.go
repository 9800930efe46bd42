package taskdef

import (
	"fmt"
	"slices"
	"strings"
)

// Platform returns the platform that the tasks run on, in the notation of images: OS/ARCHITECTURE. Without a runtimePlatform it
// is linux/amd64.
func (d Document) Platform() string {
	var platform struct {
		Architecture string `json:"cpuArchitecture"`
		System       string `json:"operatingSystemFamily"`
	}
	d.Field("runtimePlatform", &platform)
	switch {
	case strings.HasPrefix(platform.System, "WINDOWS"):
		return "windows/amd64"
	case platform.Architecture == "ARM64":
		return "linux/arm64"
	}
	return "linux/amd64"
}

// CheckPlatforms refuses an image that has nothing for the tasks' platform: ECS could not pull it. has lists what the image is
// built for, as OS/ARCHITECTURE with a variant or version behind it; an image that names none is not refused.
func (d Document) CheckPlatforms(has []string) error { return CheckPlatform(d.Platform(), has) }

// CheckPlatform is CheckPlatforms for a platform.
func CheckPlatform(want string, has []string) error {
	if len(has) == 0 || slices.ContainsFunc(has, func(p string) bool { return strings.HasPrefix(p, want) }) {
		return nil
	}
	return fmt.Errorf("there is no image for %s, which the task definition asks for; there is %s", want, strings.Join(has, ", "))
}
