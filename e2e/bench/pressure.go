//go:build linux

package main

import (
	"fmt"
	"os"
	"time"
)

// pressure is how long somebody on this machine has waited for a core: what tells
// a quiet run from one that others have disturbed. See
// docs.kernel.org/accounting/psi.html.
type pressure struct {
	at      time.Time
	waiting time.Duration
}

func pressureNow() pressure {
	p := pressure{at: time.Now()}
	text, _ := os.ReadFile("/proc/pressure/cpu")
	var avg10, avg60, avg300 float64
	var total int64
	if _, err := fmt.Sscanf(string(text), "some avg10=%f avg60=%f avg300=%f total=%d", &avg10, &avg60, &avg300, &total); err == nil {
		p.waiting = time.Duration(total) * time.Microsecond
	}
	return p
}

// share says it of the time since p.
func (p pressure) share() string {
	now := pressureNow()
	if now.waiting == 0 {
		return ""
	}
	return fmt.Sprintf("Meanwhile somebody waited for a core %.0f %% of the time.\n\n",
		100*(now.waiting-p.waiting).Seconds()/now.at.Sub(p.at).Seconds())
}
