package report

import (
	"io"
	"maps"
	"strings"
	"time"
	"unicode"

	"github.com/rs/zerolog"

	"github.com/envoy-wait/envoy-wait/probe"
)

// newLogger writes one line an event to w: JSON in the fields that Cloud Logging
// knows (cloud.google.com/logging/docs/structured-logging), or text for people.
func newLogger(w io.Writer, text bool, level string) zerolog.Logger {
	// zerolog.ParseLevel no longer knows the names once they are Cloud Logging's.
	lowest, ok := map[string]zerolog.Level{
		"debug": zerolog.DebugLevel, "info": zerolog.InfoLevel, "warn": zerolog.WarnLevel, "error": zerolog.ErrorLevel,
	}[level]
	if !ok {
		lowest = zerolog.InfoLevel
	}
	zerolog.LevelFieldName = "severity"
	zerolog.LevelFieldMarshalFunc = severity
	zerolog.TimeFieldFormat = time.RFC3339Nano
	zerolog.TimestampFunc = func() time.Time { return time.Now().UTC() }
	if text {
		w = zerolog.ConsoleWriter{
			Out: w, NoColor: true,
			PartsOrder:    []string{zerolog.LevelFieldName, zerolog.MessageFieldName},
			FormatLevel:   textPrefix,
			FormatPrepare: onlyMessage,
		}
	}
	return zerolog.New(w).Level(lowest).With().Str("logger", "envoy-wait").Logger()
}

func severity(l zerolog.Level) string {
	switch l {
	case zerolog.DebugLevel:
		return "DEBUG"
	case zerolog.WarnLevel:
		return "WARNING"
	case zerolog.ErrorLevel:
		return "ERROR"
	default:
		return "INFO"
	}
}

func textPrefix(severity any) string {
	if severity == "WARNING" {
		return "envoy-wait: warning:"
	}
	return "envoy-wait:"
}

// onlyMessage drops the fields: the message says it all.
func onlyMessage(event map[string]any) error {
	maps.DeleteFunc(event, func(field string, _ any) bool {
		return field != zerolog.LevelFieldName && field != zerolog.MessageFieldName
	})
	return nil
}

// describe adds the fields that a wait has.
func (r *Reporter) describe(event *zerolog.Event, about ...probe.Attempt) *zerolog.Event {
	if len(about) == 0 {
		return event
	}
	attempts, targets := 0, zerolog.Arr()
	for _, a := range about {
		attempts += a.Number
		targets.Dict(endpoint(zerolog.Dict(), a))
	}
	if !r.options.Once {
		event.Float64("elapsed", seconds(r.elapsed()))
	}
	event.Int("attempts", attempts)
	if len(about) == 1 {
		return endpoint(event, about[0])
	}
	return event.Array("targets", targets)
}

// endpoint adds the fields of one endpoint.
func endpoint(event *zerolog.Event, a probe.Attempt) *zerolog.Event {
	event.Str("url", printable(probe.Redact(a.URL)))
	switch {
	case a.Err != nil:
		event.Str("error", printable(a.Err.Error()))
	case a.Status != 0:
		event.Int("status", a.Status)
	}
	return event
}

// seconds are those of d to the millisecond. Duration.Seconds would make
// 1.5110000000000001 of 1.511.
func seconds(d time.Duration) float64 {
	return float64(d.Round(time.Millisecond).Milliseconds()) / 1000
}

// printable makes text fit to be printed: no password in a URL, and nothing that ends
// a line, drives a terminal (C0 and C1 controls) or turns the order of what follows
// (bidirectional controls, which are no printable characters either).
func printable(text string) string {
	if strings.Contains(text, "@") {
		words := strings.Split(text, " ")
		for i, word := range words {
			if strings.Contains(word, "://") {
				words[i] = probe.Redact(word)
			}
		}
		text = strings.Join(words, " ")
	}
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, text)
}
