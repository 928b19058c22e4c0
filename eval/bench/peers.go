package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	_ "embed"
)

//go:embed peers.mjs
var peersScript []byte

// PeerOptions say whom to compare with and what.
type PeerOptions struct {
	// Folder has the npm packages sharp, onnxruntime-node, nsfwjs,
	// @tensorflow/tfjs, its WebAssembly backend and jpeg-js installed.
	Folder string
	// Model is the picture model that all sides run, as an ONNX file; nsfwjs
	// runs its own form of it.
	Model string
	// Judge takes a JPEG to a verdict and gives the model's own probabilities.
	Judge func(ctx context.Context, jpeg []byte) ([]float64, error)
	// Whole does all that the product does with a photo; nil leaves the row out.
	Whole         func(ctx context.Context, jpeg []byte) error
	Rounds        int // how often the sides take turns (default 3)
	Out, Progress io.Writer
}

// peerSide is one column of the comparison.
type peerSide struct {
	name  string
	share int // one of so many photos is enough: it is slow
	least map[string]float64
}

var peerSides = []peerSide{
	{"sharp", 1, map[string]float64{"2 MP": 1.5, "12 MP": 1.2}},
	{"nsfwjs", 8, map[string]float64{"2 MP": 30, "12 MP": 40}},
}

// Peers measures the processor time from a JPEG's bytes to a verdict beside two
// others' ways, all sides on the same photos in turns. It prints the medians of
// the rounds' ratios; well is false when one is below what is wanted.
func Peers(ctx context.Context, o PeerOptions) (well bool, err error) {
	if o.Rounds == 0 {
		o.Rounds = 3
	}
	p, err := startPeers(ctx, o)
	if err != nil {
		return false, fmt.Errorf("start the peers: %w", err)
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	cpu, features := readCPU()
	fmt.Fprintf(o.Out, "%s, %d cores, %s\n%s\n", cpu, runtime.NumCPU(), strings.Join(features, " "), p.versions)
	fmt.Fprintln(o.Out, "CPU-ms a photo, from bytes to verdict, one thread a model; medians of rounds (lowest to highest)")
	well = true
	for _, size := range []struct {
		name        string
		w, h, times int
	}{{"2 MP", 1632, 1224, 48}, {"12 MP", 4000, 3000, 16}} {
		reached, err := p.row(ctx, size.name, size.w, size.h, size.times)
		if err != nil {
			return false, fmt.Errorf("photos of %s: %w", size.name, err)
		}
		well = well && reached
	}
	return well, nil
}

type peers struct {
	options  PeerOptions
	cmd      *exec.Cmd
	in       io.WriteCloser
	out      *bufio.Reader
	folder   string
	versions string
}

func startPeers(ctx context.Context, o PeerOptions) (*peers, error) {
	folder, err := os.MkdirTemp("", "nightlight-peers-")
	if err != nil {
		return nil, err
	}
	p := &peers{options: o, folder: folder}
	script := filepath.Join(folder, "peers.mjs")
	if err := os.WriteFile(script, peersScript, 0o600); err != nil {
		return nil, err
	}
	model, err := filepath.Abs(o.Model)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.CommandContext(ctx, "node", script, model)
	p.cmd.Dir = o.Folder
	p.cmd.Stderr = io.Discard // the packages' advice
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	var hello struct{ Versions map[string]string }
	if err := p.answer(&hello); err != nil {
		return nil, errors.Join(fmt.Errorf("node with the packages in %s: %w", o.Folder, err), p.stop())
	}
	for _, name := range sortedKeys(hello.Versions) {
		p.versions += name + " " + hello.Versions[name] + "  "
	}
	return p, nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (p *peers) answer(to any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return json.Unmarshal(line, to)
}

func (p *peers) stop() error {
	_ = p.in.Close() // it ends with its input
	_ = p.cmd.Wait() // what it measured is read already
	return os.RemoveAll(p.folder)
}

// ask has a peer judge one file so many times.
func (p *peers) ask(peer, file string, times int) ([]float64, error) {
	if err := json.NewEncoder(p.in).Encode(map[string]any{"peer": peer, "file": file, "times": times}); err != nil {
		return nil, fmt.Errorf("ask %s: %w", peer, err)
	}
	var a struct{ Scores []float64 }
	if err := p.answer(&a); err != nil {
		return nil, fmt.Errorf("ask %s: %w", peer, err)
	}
	return a.Scores, nil
}

// peerPhotos is how many photos of a size are drawn.
const peerPhotos = 4

// row compares on photos of one size.
func (p *peers) row(ctx context.Context, name string, w, h, times int) (well bool, err error) {
	var files [peerPhotos]string
	var photos [peerPhotos][]byte
	bytes := 0
	for i := range files {
		if photos[i], err = photo(w, h, uint64(i)); err != nil {
			return false, err
		}
		bytes += len(photos[i]) / peerPhotos
		files[i] = filepath.Join(p.folder, fmt.Sprintf("%d-%d.jpg", w, i))
		if err := os.WriteFile(files[i], photos[i], 0o600); err != nil {
			return false, err
		}
	}
	var ours, whole []float64
	theirs, ratios, apart := map[string][]float64{}, map[string][]float64{}, map[string]float64{}
	var own [peerPhotos][]float64
	for round := range p.options.Rounds + 1 { // the first warms up
		took, err := p.own(ctx, photos, times, func(i int, jpeg []byte) (err error) {
			own[i], err = p.options.Judge(ctx, jpeg)
			return err
		})
		if err != nil {
			return false, err
		}
		ours = append(ours, took)
		for _, side := range peerSides {
			n := max(times/side.share, peerPhotos)
			took, err := p.spent(func() error {
				for i, file := range files {
					said, err := p.ask(side.name, file, n/peerPhotos)
					if err != nil {
						return err
					}
					for c := range said {
						apart[side.name] = max(apart[side.name], math.Abs(said[c]-own[i][c]))
					}
				}
				return nil
			})
			if err != nil {
				return false, err
			}
			each := milliseconds(took.system) / float64(n/peerPhotos*peerPhotos)
			theirs[side.name] = append(theirs[side.name], each)
			ratios[side.name] = append(ratios[side.name], each/ours[round])
		}
		if p.options.Whole != nil {
			took, err := p.own(ctx, photos, peerPhotos, func(_ int, jpeg []byte) error { return p.options.Whole(ctx, jpeg) })
			if err != nil {
				return false, err
			}
			whole = append(whole, took)
		}
		if p.options.Progress != nil {
			fmt.Fprintf(p.options.Progress, "%s, round %d of %d\n", name, round, p.options.Rounds)
		}
	}
	fmt.Fprintf(p.options.Out, "\n%s, %d drawn JPEGs of %dx%d, %d kB on average\n", name, peerPhotos, w, h, bytes/1000)
	fmt.Fprintf(p.options.Out, "  nightlight, picture model and policy  %s\n", figureOf(ours[1:]))
	well = true
	for _, side := range peerSides {
		ratio := figureOf(ratios[side.name][1:])
		verdict := "reached"
		if ratio.Median < side.least[name] {
			verdict, well = "MISSED", false
		}
		fmt.Fprintf(p.options.Out, "  %-37s %s  %s times ours, wanted %g: %s; scores differ by %.3f at most\n",
			side.name, figureOf(theirs[side.name][1:]), ratio, side.least[name], verdict, apart[side.name])
	}
	if len(whole) > 1 {
		fmt.Fprintf(p.options.Out, "  nightlight, with QR codes and writing  %s\n", figureOf(whole[1:]))
	}
	return well, nil
}

// own measures our side, in ms a photo.
func (p *peers) own(ctx context.Context, photos [peerPhotos][]byte, times int, judge func(i int, jpeg []byte) error) (float64, error) {
	took, err := p.spent(func() error {
		for n := range times {
			if err := judge(n%peerPhotos, photos[n%peerPhotos]); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	return milliseconds(took.self) / float64(times), err
}

// spent measures both: self is ours with the decoding child, system the peers'.
func (p *peers) spent(f func() error) (spent, error) { return meter{p.cmd.Process.Pid}.during(f) }

// String is the median with the range.
func (f Figure) String() string { return fmt.Sprintf("%.3g (%.3g to %.3g)", f.Median, f.Low, f.High) }
