package eval

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryFileThatTheDockerfileCopiesExists(t *testing.T) {
	ignored := strings.Fields(read(t, ".dockerignore"))
	copies := regexp.MustCompile(`(?m)^COPY (.+)$`).FindAllStringSubmatch(read(t, "Dockerfile"), -1)
	if len(copies) < 4 {
		t.Fatalf("only %d COPY lines found", len(copies))
	}
	for _, c := range copies {
		fields := strings.Fields(c[1])
		if strings.HasPrefix(fields[0], "--from=") {
			continue
		}
		for _, src := range fields[:len(fields)-1] {
			if _, err := os.Stat(filepath.Join("..", src)); err != nil {
				t.Errorf("COPY %s: %v", src, err)
			}
			for _, i := range ignored {
				if strings.Trim(src, "/") == i {
					t.Errorf("COPY %s is left out by .dockerignore", src)
				}
			}
		}
	}
}

func TestTheImageRunsWithoutRightsAndCarriesWhatTheBinaryLoads(t *testing.T) {
	d := read(t, "Dockerfile")
	stages := strings.Split(d, "\nFROM ")
	last := stages[len(stages)-1]
	if len(stages) < 2 {
		t.Error("the image is not built in stages")
	}
	for _, want := range []string{"USER 10001", "ffmpeg", "libturbojpeg0", "/opt/nightlight/.cache/nightlight/", "/opt/nightlight/models/weights/", "--no-install-recommends"} {
		if !strings.Contains(last, want) {
			t.Errorf("the last stage lacks %q", want)
		}
	}
	if strings.Contains(d, ":latest") {
		t.Error("a base image is not pinned to a release")
	}
}

func TestEveryServiceOfTheComposeFileHasAHealthCheck(t *testing.T) {
	var file struct {
		Services map[string]struct {
			Image       string         `yaml:"image"`
			Healthcheck map[string]any `yaml:"healthcheck"`
			Command     []string       `yaml:"command"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "compose.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"postgres", "redis", "s3", "api", "work-text", "work-media"} {
		s, ok := file.Services[name]
		if !ok {
			t.Errorf("no service %s", name)
			continue
		}
		if len(s.Healthcheck) == 0 {
			t.Errorf("%s has no health check", name)
		}
		if strings.HasSuffix(s.Image, ":latest") {
			t.Errorf("%s is not pinned", name)
		}
	}
}

func TestEverySettingOfTheComposeFileIsOneThatTheProgramKnows(t *testing.T) {
	help, err := exec.Command(mustBinary(t), "work", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`NIGHTLIGHT_[A-Z0-9_]+`)
	known := map[string]bool{}
	for _, name := range names.FindAllString(strings.Join(strings.Fields(string(help)), " "), -1) {
		known[name] = true
	}
	for _, file := range []string{"compose.yaml", "Dockerfile", ".ci/scale"} {
		found := names.FindAllString(read(t, file), -1)
		if len(found) == 0 {
			t.Errorf("%s sets nothing", file)
		}
		for _, name := range found {
			if !known[name] {
				t.Errorf("%s sets %s, which the program does not know", file, name)
			}
		}
	}
}
