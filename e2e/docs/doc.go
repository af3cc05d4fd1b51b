// Package docs checks what README and docs show. Every fenced block is built, run,
// parsed or produced, or is in a list of exceptions with its reason. Links resolve,
// and lines and sentences are short.
//
//	go test ./e2e/docs -update   # writes the transcripts anew
package docs
