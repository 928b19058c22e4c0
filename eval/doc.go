// Package eval tells Nightlight's story with known answers: data sets and runs
// with metrics, benchmarks, fault tests, and the journeys that users take.
package eval
