// Package modelstest gives tests the real models: it finds what set-up brought, fails where CI must have it, and
// skips with a clear line elsewhere.
package modelstest

import (
	"os"
	"path/filepath"
	"testing"

	"nightlight/models"
	"nightlight/models/catalog"
)

// Variable names the folder that holds .cache/nightlight and models/weights, if it is not the checkout itself.
const Variable = "NIGHTLIGHT_MODELS"

// Dirs tells where the models lie. Without the library in there the test is skipped, or fails if CI=true.
func Dirs(t testing.TB) models.Dirs {
	t.Helper()
	root := os.Getenv(Variable)
	if root == "" {
		root = checkout(t)
	}
	dirs := models.At(root)
	library, err := dirs.Library(Manifest(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(library); err != nil {
		missing(t, "ONNX Runtime is not in %s: run make setup, or set %s", dirs.Cache, Variable)
	}
	return dirs
}

// Manifest gives the manifest of this build.
func Manifest(t testing.TB) *catalog.Manifest {
	t.Helper()
	m, err := models.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Runtime opens ONNX Runtime for one test and closes it afterwards. Tests that use it cannot run in parallel.
func Runtime(t testing.TB) *models.Runtime {
	t.Helper()
	library, err := Dirs(t).Library(Manifest(t))
	if err != nil {
		t.Fatal(err)
	}
	r, err := models.OpenRuntime(library)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// Load loads every model for one test and closes them afterwards. Tests that use it cannot run in parallel.
func Load(t testing.TB) *models.Set {
	t.Helper()
	set, err := models.Load(Manifest(t), Dirs(t), models.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
	return set
}

// checkout finds the folder of go.mod, from the folder of the tested package upwards.
func checkout(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = up
	}
}

func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
