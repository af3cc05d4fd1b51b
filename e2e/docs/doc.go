// Package docs checks what README and docs show: each fenced block is run, parsed or built.
//
//	go test ./e2e/docs -update   # writes the transcripts anew
package docs
