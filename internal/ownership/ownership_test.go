package ownership

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestInherit(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	folder := t.TempDir()
	if err := os.Chown(folder, 1001, 1002); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(folder, "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	Inherit(name)
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t); owner.Uid != 1001 || owner.Gid != 1002 {
		t.Errorf("it belongs to %d:%d", owner.Uid, owner.Gid)
	}
	Inherit(filepath.Join(folder, "missing", "file"))
}
