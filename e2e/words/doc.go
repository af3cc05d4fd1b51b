// Package words checks how README and docs are written: short lines and sentences, links that lead somewhere, one
// version everywhere. make lint runs it.
package words
