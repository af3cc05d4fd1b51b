package report

import (
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/rs/zerolog"

	"github.com/envoy-wait/envoy-wait/probe"
)

var levels = []string{"debug", "info", "warn", "error"} // zerolog's, in their order

// severities are Cloud Logging's names of levels: cloud.google.com/logging/docs/structured-logging.
var severities = []string{"DEBUG", "INFO", "WARNING", "ERROR"}

func newLogger(w io.Writer) zerolog.Logger {
	zerolog.LevelFieldName = "severity"
	zerolog.LevelFieldMarshalFunc = func(l zerolog.Level) string { return severities[l] }
	zerolog.DurationFieldUnit = time.Second
	zerolog.TimeFieldFormat = time.RFC3339Nano
	zerolog.TimestampFunc = func() time.Time { return time.Now().UTC() } //nolint:forbidigo // it is shown, not measured with
	return zerolog.New(w).With().Str("logger", "envoy-wait").Logger()
}

// say writes one line: JSON with these fields, or text for people, which is the message alone.
func (r *Reporter) say(level zerolog.Level, message string, fields ...func(*zerolog.Event)) {
	message = printable(message)
	switch {
	case level < r.level:
	case r.text && level == zerolog.WarnLevel:
		_, _ = io.WriteString(r.out, "envoy-wait: warning: "+message+"\n")
	case r.text:
		_, _ = io.WriteString(r.out, "envoy-wait: "+message+"\n")
	default:
		event := r.log.WithLevel(level)
		for _, add := range fields {
			add(event)
		}
		event.Msg(message)
	}
}

// about returns the fields of a line about some endpoints.
func (r *Reporter) about(attempts ...probe.Attempt) func(*zerolog.Event) {
	return func(event *zerolog.Event) {
		if len(attempts) == 0 {
			return
		}
		sum, targets := 0, zerolog.Arr()
		for _, a := range attempts {
			sum += a.Number
			targets.Dict(endpoint(zerolog.Dict(), a))
		}
		if !r.options.Once {
			event.Dur("elapsed", r.elapsed())
		}
		event.Int("attempts", sum)
		if len(attempts) == 1 {
			endpoint(event, attempts[0])
		} else {
			event.Array("targets", targets)
		}
	}
}

func endpoint(event *zerolog.Event, a probe.Attempt) *zerolog.Event {
	event.Str("url", printable(probe.Redact(a.URL)))
	if a.Err != nil {
		event.Str("error", printable(a.Err.Error()))
	} else if a.Status != 0 {
		event.Int("status", a.Status)
	}
	return event
}

func exitStatus(status int) func(*zerolog.Event) {
	return func(event *zerolog.Event) { event.Int("exit_status", status) }
}

// printable makes text fit to be printed: no password in a URL, and nothing that ends a line, drives a terminal (C0
// and C1 controls) or turns the order of what follows (bidirectional controls).
func printable(text string) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		if strings.Contains(word, "://") {
			words[i] = probe.Redact(word)
		}
	}
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, strings.Join(words, " "))
}
