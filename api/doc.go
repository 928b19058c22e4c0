// Package api is the door through which backends come in: it takes what
// children send over HTTP, answers only after the record is durable, and gives
// verdicts back.
//
// Every route stands in one table (routes.go) with the scope that a key needs
// and the shapes that go in and out; the router, the OpenAPI document and the
// documentation page are made from it. Bodies are read by our own strict JSON
// scanner, which refuses what encoding/json would let pass (duplicate or
// wrong-case fields, broken UTF-8) and names the field without ever quoting
// its value. Errors are RFC 9457 problems. A tenant is always that of the key,
// never of the request.
package api
