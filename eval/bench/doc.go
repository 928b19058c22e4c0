// Package bench measures how fast Nightlight is, and says how far its figures
// can be trusted.
//
// Bare times travel badly: on a machine that others use, the same work moves
// two- to fourfold. So a run starts the real program, sends it items until all
// have verdicts, and runs the bare model on the same items in the same minute,
// turn by turn; what counts is the difference and the ratio of the two. Beside
// every round stands what other processes took of the machine meanwhile.
//
// Throughput is a closed loop: a connection sends its next item when it has
// the verdict of the last. Latency is an open loop: items are sent when they
// are due whether or not earlier ones were answered, and a latency counts from
// the moment an item was due.
package bench
