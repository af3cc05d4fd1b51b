//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// pressure is the time for which some process of this machine has waited for a
// core. It tells a quiet run from a disturbed one. See
// docs.kernel.org/accounting/psi.html.
type pressure struct {
	at      time.Time
	waiting time.Duration
}

func pressureNow() pressure {
	text, _ := os.ReadFile("/proc/pressure/cpu")
	_, total, _ := strings.Cut(string(text), "total=")
	var micros int64
	_, _ = fmt.Sscan(total, &micros)
	return pressure{time.Now(), time.Duration(micros) * time.Microsecond}
}

// since is the share of the time since p, as a line of the report.
func (p pressure) since() string {
	now := pressureNow()
	if now.waiting == 0 {
		return "" // the kernel does not count it
	}
	return fmt.Sprintf("Meanwhile some process waited for a core %.0f %% of the time.\n\n",
		100*(now.waiting-p.waiting).Seconds()/now.at.Sub(p.at).Seconds())
}
