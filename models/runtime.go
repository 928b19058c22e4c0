package models

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"nightlight/models/onnx"
)

// ErrClosed says that a session or the runtime was used after it was closed.
var ErrClosed = errors.New("model is closed")

// Runtime is the ONNX Runtime library, loaded once in a process.
type Runtime struct {
	mu       sync.Mutex
	sessions []*Session
	closed   bool
}

// OpenRuntime loads the library at the given path. A process can hold one Runtime at a time; a second one is an
// error, because the library keeps its state for the whole process.
func OpenRuntime(library string) (*Runtime, error) {
	if ort.IsInitialized() {
		return nil, errors.New("open ONNX Runtime: it is open already")
	}
	// Since 1.32 the library carries a telemetry client, which writes a session file and would call its maker's
	// collector. Nothing about a child's service leaves it: the switch is set before the library is loaded.
	if err := os.Setenv("ORT_DISABLE_TELEMETRY", "1"); err != nil {
		return nil, fmt.Errorf("open ONNX Runtime: %w", err)
	}
	ort.SetSharedLibraryPath(library)
	// Errors come back from calls; what the library would write to standard error besides says nothing more.
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		return nil, fmt.Errorf("open ONNX Runtime: %w", err)
	}
	if err := ort.DisableTelemetry(); err != nil {
		return nil, errors.Join(fmt.Errorf("switch telemetry off: %w", err), ort.DestroyEnvironment())
	}
	return &Runtime{}, nil
}

// Version gives the version of the library.
func (r *Runtime) Version() string { return ort.GetVersion() }

// SessionOptions say how a model is to run.
type SessionOptions struct {
	// Name is used in errors.
	Name string
	// Parallel bounds how many runs go at a time; 0 means one.
	Parallel int
	// Outputs names the outputs that are wanted, in the order in which Run gives them; empty means all.
	Outputs []string
	// AnyShape says that inputs differ in shape from run to run, so that ONNX Runtime must not keep a memory plan
	// for each.
	AnyShape bool
}

// NewSession makes a session of a model's bytes. They are inspected first: a model that refers to other files is
// refused. Each run uses one thread, so that many small runs share the cores fairly.
func (r *Runtime) NewSession(model []byte, o SessionOptions) (*Session, error) {
	summary, err := onnx.Inspect(model)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", o.Name, err)
	}
	outputs := o.Outputs
	if len(outputs) == 0 {
		outputs = summary.Outputs
	}
	if len(summary.Inputs) == 0 || len(outputs) == 0 {
		return nil, fmt.Errorf("load %s: it has no inputs or no outputs", o.Name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, fmt.Errorf("load %s: %w", o.Name, ErrClosed)
	}
	options, err := sessionOptions(o)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", o.Name, err)
	}
	defer options.Destroy()
	inner, err := ort.NewDynamicAdvancedSessionWithONNXData(model, summary.Inputs, outputs, options)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", o.Name, err)
	}
	s := &Session{
		runtime: r, inner: inner, name: o.Name, about: summary,
		inputs: slices.Clone(summary.Inputs), outputs: slices.Clone(outputs),
		slots: make(chan struct{}, max(1, o.Parallel)), closing: make(chan struct{}),
	}
	r.sessions = append(r.sessions, s)
	return s, nil
}

func sessionOptions(o SessionOptions) (*ort.SessionOptions, error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		options.SetIntraOpNumThreads(1),
		options.SetInterOpNumThreads(1),
		options.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		options.SetMemPattern(!o.AnyShape),
		// A waiting thread that spins takes the core from a run that has work.
		options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
		options.AddSessionConfigEntry("session.inter_op.allow_spinning", "0"),
	)
	if err != nil {
		options.Destroy()
		return nil, err
	}
	return options, nil
}

// Close closes every session, waiting for their runs, and lets the library go.
func (r *Runtime) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	sessions := r.sessions
	r.sessions = nil
	r.mu.Unlock()
	var errs []error
	for _, s := range sessions {
		errs = append(errs, s.Close())
	}
	errs = append(errs, ort.DestroyEnvironment())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close ONNX Runtime: %w", err)
	}
	return nil
}

func (r *Runtime) forget(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions = slices.DeleteFunc(r.sessions, func(other *Session) bool { return other == s })
}
