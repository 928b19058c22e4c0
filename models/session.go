package models

import (
	"context"
	"errors"
	"fmt"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"nightlight/models/onnx"
)

// Session is one loaded model. It is safe for use by many goroutines.
type Session struct {
	runtime *Runtime
	inner   *ort.DynamicAdvancedSession
	name    string
	about   onnx.Summary
	inputs  []string
	outputs []string

	slots     chan struct{} // one token a run
	closing   chan struct{} // closed by Close
	closeOnce sync.Once
	closeErr  error
}

// Inputs names what Run reads, in order.
func (s *Session) Inputs() []string { return s.inputs }

// Outputs names what Run gives, in order.
func (s *Session) Outputs() []string { return s.outputs }

// About tells what the model's file says of itself.
func (s *Session) About() onnx.Summary { return s.about }

// Run runs the model once. It waits for a free slot, and it ends early when ctx does, while waiting and while
// running alike; the error then wraps the context's. An output whose values are nil is allocated; one with values is
// filled in place. A panic below is given back as an error.
func (s *Session) Run(ctx context.Context, inputs, outputs []Tensor) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("run %s: panic: %v", s.name, p)
		}
	}()
	if len(inputs) != len(s.inputs) || len(outputs) != len(s.outputs) {
		return fmt.Errorf("run %s: %d inputs and %d outputs, want %d and %d", s.name, len(inputs), len(outputs), len(s.inputs), len(s.outputs))
	}
	release, err := s.acquire(ctx)
	if err != nil {
		return fmt.Errorf("run %s: %w", s.name, err)
	}
	defer release()
	if err := s.run(ctx, inputs, outputs); err != nil {
		return fmt.Errorf("run %s: %w", s.name, err)
	}
	return nil
}

// acquire waits for a slot. A closing session gives none.
func (s *Session) acquire(ctx context.Context) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, ctx.Err()
	}
	select {
	case s.slots <- struct{}{}:
	case <-s.closing:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-s.closing:
		<-s.slots
		return nil, ErrClosed
	default:
		return func() { <-s.slots }, nil
	}
}

func (s *Session) run(ctx context.Context, inputs, outputs []Tensor) error {
	var held values
	defer held.destroy()
	ins, err := held.wrapAll(inputs, false)
	if err != nil {
		return err
	}
	outs, err := held.wrapAll(outputs, true)
	if err != nil {
		return err
	}
	options, err := ort.NewRunOptions()
	if err != nil {
		return err
	}
	terminated := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(terminated)
		options.Terminate() // fails only on options that are gone, and these are kept until it is done
	})
	err = s.inner.RunWithOptions(ins, outs, options)
	if !stop() {
		<-terminated // or Destroy would pull the options from under it
	}
	held.adopt(outs)
	err = errors.Join(err, options.Destroy())
	if err != nil {
		if ended := ctx.Err(); ended != nil {
			return ended
		}
		return err
	}
	for i := range outputs {
		if err := outputs[i].take(outs[i]); err != nil {
			return fmt.Errorf("output %s: %w", s.outputs[i], err)
		}
	}
	return nil
}

// Close waits for the runs that are under way and frees the model. Later runs get ErrClosed.
func (s *Session) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		for range cap(s.slots) {
			s.slots <- struct{}{}
		}
		for range cap(s.slots) {
			<-s.slots
		}
		s.runtime.forget(s)
		if err := s.inner.Destroy(); err != nil {
			s.closeErr = fmt.Errorf("close %s: %w", s.name, err)
		}
	})
	return s.closeErr
}
