// Package console is the room in which people work: reviewers take a case and
// decide it, auditors read the log, admins look after users and deliveries.
//
// Pages are rendered here, work without a script and say everything in Chinese
// and English. Each route names the roles that may use it, and the tests walk
// every route with every role. What a child wrote or sent is written into a
// page only after the audit line about it was written; a picture starts grey
// and blurred and is shown on purpose. Errors are fixed sentences, never a
// value that somebody sent.
package console
