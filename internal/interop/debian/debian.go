// Package debian finds programs and, for root, installs what is missing: files and nothing else. No service is started
// or enabled, now or at the next boot.
package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Program returns the path of a program, which is installed from a package if it is missing and we may. Some are not
// where programs are looked for, but match a pattern; of those the last is taken, longer ones after shorter ones.
func Program(ctx context.Context, name, pkg, pattern string) (string, error) {
	return want(ctx, name, pkg, func() string {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		return match(pattern)
	})
}

// File returns the path of a file that matches a pattern, and which is installed from a package if it is missing and we
// may.
func File(ctx context.Context, pattern, pkg string) (string, error) {
	return want(ctx, filepath.Base(pattern), pkg, func() string { return match(pattern) })
}

func match(pattern string) string {
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		return ""
	}
	return slices.MaxFunc(found, func(a, b string) int { return len(a) - len(b) })
}

// want returns what find finds, after an installation if need be.
func want(ctx context.Context, name, pkg string, find func() string) (string, error) {
	if path := find(); path != "" {
		return path, nil
	}
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("%s is missing: install the package %s", name, pkg)
	}
	if err := install(ctx, pkg); err != nil {
		return "", fmt.Errorf("%s is missing: %w", name, err)
	}
	if path := find(); path != "" {
		return path, nil
	}
	return "", fmt.Errorf("%s is missing although %s is installed", name, pkg)
}

// standIns are what the scripts of packages call to enable and start services. They look for it along PATH, and find
// programs that do nothing.
func standIns() []string {
	return []string{"deb-systemd-helper", "deb-systemd-invoke", "invoke-rc.d", "update-rc.d"}
}

// systemPath is where dpkg finds its programs by default.
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// install installs a package. The lists of packages are only loaded if it cannot be had without: loading them takes
// longer than installing most packages.
func install(ctx context.Context, pkg string) (err error) {
	nothing, err := exec.LookPath("true")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, name := range standIns() {
		if err := os.Symlink(nothing, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	get := []string{
		"-o", "DPkg::Path=" + dir + ":" + systemPath, "-o", "DPkg::Lock::Timeout=120",
		"install", "-y", "--no-install-recommends", pkg,
	}
	first := apt(ctx, get...)
	if first == nil {
		return nil
	}
	if err := apt(ctx, "update"); err != nil {
		return errors.Join(first, err)
	}
	return apt(ctx, get...)
}

// apt runs apt-get, without questions.
func apt(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get %v: %w\n%s", args, err, out)
	}
	return nil
}
