package probe

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// script is a transport without a network: what it answers depends on the time
// since it was made and on the URL.
type script func(elapsed time.Duration, req *http.Request) (status int, err error)

// wait runs Wait without a gate.
func (s script) wait(ctx context.Context, cfg Config) error {
	return wait(ctx, cfg, s.transport(), nil)
}

func (s script) transport() func(endpoint, Config) http.RoundTripper {
	start := time.Now()
	return func(endpoint, Config) http.RoundTripper {
		return roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Context().Err() != nil {
				return nil, req.Context().Err()
			}
			status, err := s(time.Since(start), req)
			if err != nil {
				return nil, err
			}
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
		})
	}
}

// readyAt is s before a moment, and 200 from then on.
func (s script) readyAt(moment time.Duration) script {
	return func(elapsed time.Duration, req *http.Request) (int, error) {
		if elapsed >= moment {
			return http.StatusOK, nil
		}
		return s(elapsed, req)
	}
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func refused(time.Duration, *http.Request) (int, error) { return 0, syscall.ECONNREFUSED }

func unready(time.Duration, *http.Request) (int, error) { return http.StatusServiceUnavailable, nil }

// hang answers nothing until the attempt is given up.
func hang(_ time.Duration, req *http.Request) (int, error) {
	<-req.Context().Done()
	return 0, req.Context().Err()
}

// The cadence is a promise to the sidecar's log and to the CPU that it shares
// with the app.
func TestCadence(t *testing.T) {
	for _, test := range []struct {
		name     string
		answer   script
		interval time.Duration
		timeout  time.Duration
		attempts int
	}{
		{"refused", refused, DefaultInterval, time.Second, 86},
		{"refused", refused, DefaultInterval, 10 * time.Second, 202},
		{"refused", refused, DefaultInterval, time.Minute, 403},
		{"refused", refused, DefaultInterval, 10 * time.Minute, 2563},
		{"503", unready, DefaultInterval, time.Second, 10},
		{"503", unready, DefaultInterval, 10 * time.Second, 53},
		{"503", unready, DefaultInterval, time.Minute, 153},
		{"503", unready, DefaultInterval, 10 * time.Minute, 1233},
		{"refused, interval below the floor", refused, MinInterval, time.Second, 100},
		{"503, interval below the floor", unready, 50 * time.Millisecond, time.Second, 20},
		{"refused, interval above the cap", refused, time.Hour, 10 * time.Minute, 2563},
		{"503, interval without effect", unready, time.Hour, 10 * time.Minute, 137},
		{"hang", hang, DefaultInterval, 10 * time.Minute, 110}, // of 5 s each
	} {
		t.Run(test.name+" for "+test.timeout.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// A moment less: one attempt would fall on the deadline itself.
				timeout := test.timeout - 1
				var timedOut *TimeoutError
				err := test.answer.wait(t.Context(), Config{Timeout: timeout, Interval: test.interval})
				if !errors.As(err, &timedOut) {
					t.Fatalf("got %v, want a timeout", err)
				}
				if timedOut.Attempts != test.attempts {
					t.Errorf("%d attempts, want %d", timedOut.Attempts, test.attempts)
				}
				if timedOut.Elapsed != timeout {
					t.Errorf("the wait took %v, want exactly %v", timedOut.Elapsed, timeout)
				}
			})
		})
	}
}

// hangingBody is the body of an answer that never comes. given is closed when the attempt is given up.
type hangingBody struct{ given <-chan struct{} }

func (b hangingBody) Read([]byte) (int, error) { <-b.given; return 0, context.Canceled }

func (b hangingBody) Close() error { return nil }

// A body that never comes changes nothing in the cadence.
func TestCadenceWithoutABody(t *testing.T) {
	for timeout, want := range map[time.Duration]int{time.Second: 10, 3 * time.Second: 29, time.Minute: 153} {
		synctest.Test(t, func(t *testing.T) {
			var timedOut *TimeoutError
			err := wait(t.Context(), Config{Timeout: timeout - 1}, func(endpoint, Config) http.RoundTripper {
				return roundTripFunc(func(req *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{}, Body: hangingBody{req.Context().Done()}, Request: req}, nil
				})
			}, nil)
			if !errors.As(err, &timedOut) || timedOut.Attempts != want || timedOut.Elapsed != timeout-1 {
				t.Errorf("got %+v, want %d attempts in %v", err, want, timeout)
			}
		})
	}
}

// A wait lags by a share of its own length, never by more than the interval.
func TestLag(t *testing.T) {
	for _, test := range []struct {
		name   string
		before script
		limit  func(wait time.Duration) time.Duration
	}{
		{"refused", refused, func(d time.Duration) time.Duration { return min(max(d/50, 10*time.Millisecond), 250*time.Millisecond) }},
		{"503", unready, func(d time.Duration) time.Duration { return min(max(d/20, 100*time.Millisecond), DefaultInterval) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantLag(t, test.limit, func(ctx context.Context, readyAt time.Duration) error {
				return test.before.readyAt(readyAt).wait(ctx, Config{})
			})
		})
	}
}

// wantLag checks the lag of waits for endpoints that become ready at random moments.
func wantLag(t *testing.T, limit func(wait time.Duration) time.Duration, wait func(ctx context.Context, readyAt time.Duration) error) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		readyAt := time.Duration(random.Int64N(int64(50 * time.Second)))
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			if err := wait(t.Context(), readyAt); err != nil {
				t.Fatal(err)
			}
			if lag := time.Since(start) - readyAt; lag < 0 || lag > limit(readyAt) {
				t.Errorf("ready at %v, lag %v, want at most %v", readyAt, lag, limit(readyAt))
			}
		})
	}
}

func TestReadyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, attempts := time.Now(), 0
		answer := script(func(_ time.Duration, req *http.Request) (int, error) {
			attempts++
			if got := req.URL.String(); got != DefaultURL {
				t.Errorf("asked %s, want %s", got, DefaultURL)
			}
			if got := req.Method + " " + req.UserAgent(); got != "GET envoy-wait" {
				t.Errorf("got %q, want a GET by envoy-wait", got)
			}
			return http.StatusOK, nil
		})
		if err := answer.wait(t.Context(), Config{}); err != nil {
			t.Fatal(err)
		}
		if attempts != 1 || time.Since(start) != 0 {
			t.Errorf("%d attempts in %v, want 1 in no time", attempts, time.Since(start))
		}
	})
}

// Only 200 is ready, and nothing else ends the wait.
func TestEverythingIsRetried(t *testing.T) {
	answers := []struct {
		status int
		err    error
	}{
		{err: syscall.ECONNREFUSED}, {status: 201}, {status: 204}, {status: 301}, {status: 307}, {status: 400},
		{status: 401}, {status: 403}, {status: 404}, {status: 429}, {status: 500}, {status: 501}, {status: 502},
		{status: 503}, {status: 504}, {status: 999}, {err: syscall.ECONNRESET}, {err: io.EOF},
		{err: io.ErrUnexpectedEOF}, {err: errors.New("malformed HTTP response")}, {err: syscall.EHOSTUNREACH},
		{err: context.DeadlineExceeded}, {err: context.Canceled}, {err: errNoAnswer}, {err: syscall.ECONNREFUSED},
	}
	synctest.Test(t, func(t *testing.T) {
		next := 0
		answer := script(func(time.Duration, *http.Request) (int, error) {
			if next++; next > len(answers) {
				return http.StatusOK, nil
			}
			return answers[next-1].status, answers[next-1].err
		})
		var seen []Attempt
		err := answer.wait(t.Context(), Config{OnAttempt: func(a Attempt) { seen = append(seen, a) }})
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) != len(answers)+1 {
			t.Fatalf("%d attempts reported, want %d", len(seen), len(answers)+1)
		}
		for i, a := range seen {
			if a.Number != i+1 || a.URL != DefaultURL {
				t.Errorf("got attempt %d of %s, want %d of %s", a.Number, a.URL, i+1, DefaultURL)
			}
			if last := i == len(answers); last != (a.Outcome == Ready) {
				t.Errorf("got %v as %v, want the last alone ready", a, a.Outcome)
			}
		}
	})
}

func TestRetryAfterIsNotObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := wait(t.Context(), Config{}, func(endpoint, Config) http.RoundTripper {
			return roundTripFunc(func(req *http.Request) (*http.Response, error) {
				resp := &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"86400"}}, Body: http.NoBody, Request: req}
				if time.Since(start) >= 2*time.Second {
					resp.StatusCode = http.StatusOK
				}
				return resp, nil
			})
		}, nil)
		if err != nil || time.Since(start) > 3*time.Second {
			t.Errorf("got %v after %v, want ready after 2s", err, time.Since(start))
		}
	})
}

// Every endpoint is polled until its first 200, then no more; what it answers
// later does not count.
func TestSeveralEndpoints(t *testing.T) {
	const a, b = "http://a/", "http://b/"
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		asked := map[string]int{}
		answer := script(func(elapsed time.Duration, req *http.Request) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			asked[req.URL.String()]++
			if req.URL.String() == a || elapsed > 30*time.Second {
				return http.StatusOK, nil
			}
			return refused(elapsed, req)
		})
		reporting := false
		err := answer.wait(t.Context(), Config{URLs: []string{a, b}, OnAttempt: func(Attempt) {
			if reporting {
				t.Error("OnAttempt is called twice at once")
			}
			reporting = true
			runtime.Gosched() // no sleep: a mutex does not let virtual time go on
			reporting = false
		}})
		if err != nil {
			t.Fatal(err)
		}
		if asked[a] != 1 || asked[b] < 100 {
			t.Errorf("asked %v, want one for %s and many for %s", asked, a, b)
		}
	})
}

func TestTimeoutNamesWhatIsPending(t *testing.T) {
	urls := []string{"http://ready/", "http://user:secret@busy/", "http://gone/"}
	synctest.Test(t, func(t *testing.T) {
		answer := script(func(elapsed time.Duration, req *http.Request) (int, error) {
			switch req.URL.Host {
			case "ready":
				return http.StatusOK, nil
			case "busy":
				return unready(elapsed, req)
			default:
				return refused(elapsed, req)
			}
		})
		err := answer.wait(t.Context(), Config{URLs: urls, Timeout: time.Second - 1})
		var timedOut *TimeoutError
		if !errors.As(err, &timedOut) {
			t.Fatalf("got %v, want a timeout", err)
		}
		want := "not ready after 1s: http://xxxxx@busy/: status 503; http://gone/: connection refused"
		if err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
		if timedOut.Attempts != 1+10+86 {
			t.Errorf("%d attempts, want %d", timedOut.Attempts, 1+10+86)
		}
		for _, wrapped := range []error{context.DeadlineExceeded, syscall.ECONNREFUSED} {
			if !errors.Is(err, wrapped) {
				t.Errorf("got %v, want it to wrap %v", err, wrapped)
			}
		}
	})
}

// An attempt that the deadline cuts off tells of a hang only if it had the time
// to be one.
func TestLastCauseOfACutOffAttempt(t *testing.T) {
	for _, test := range []struct {
		name      string
		hangsFrom time.Duration
		want      Outcome
	}{
		{"from the start", 0, NoAnswer},
		{"for long", 5 * time.Second, NoAnswer},
		{"for a moment", 9900 * time.Millisecond, Unready},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answer := script(func(elapsed time.Duration, req *http.Request) (int, error) {
					if elapsed >= test.hangsFrom {
						return hang(elapsed, req)
					}
					return unready(elapsed, req)
				})
				var timedOut *TimeoutError
				err := answer.wait(t.Context(), Config{Timeout: 10 * time.Second})
				if !errors.As(err, &timedOut) || timedOut.Pending[0].Outcome != test.want {
					t.Errorf("got %v, want outcome %v", err, test.want)
				}
			})
		})
	}
}

// A connection can time out by the deadline before the context does.
func TestLastCauseIfTheConnectionTimesOutFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := script(func(elapsed time.Duration, req *http.Request) (int, error) {
			if elapsed < 999*time.Millisecond {
				return refused(elapsed, req)
			}
			deadline, _ := req.Context().Deadline()
			time.Sleep(time.Until(deadline))
			return 0, os.ErrDeadlineExceeded
		})
		var timedOut *TimeoutError
		err := answer.wait(t.Context(), Config{Timeout: time.Second})
		if !errors.As(err, &timedOut) || timedOut.Pending[0].Outcome != Refused || timedOut.Elapsed != time.Second {
			t.Errorf("got %v, want refused as the last cause, after 1s", err)
		}
	})
}

// An attempt that ends long after its deadline says nothing: the process was frozen.
func TestLastCauseOfAFrozenAttempt(t *testing.T) {
	for _, test := range []struct {
		name         string
		late         time.Duration
		err          error
		want         Outcome
		firstAttempt bool
	}{
		{"a hang", 0, context.DeadlineExceeded, NoAnswer, false},
		{"frozen", time.Second, context.DeadlineExceeded, Refused, false},
		{"frozen in the first attempt", time.Second, context.DeadlineExceeded, 0, true},
		{"frozen behind an answer", time.Second, syscall.ECONNRESET, Failed, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answer := script(func(elapsed time.Duration, req *http.Request) (int, error) {
					if elapsed < 2*time.Second && !test.firstAttempt {
						return refused(elapsed, req)
					}
					deadline, _ := req.Context().Deadline()
					time.Sleep(time.Until(deadline) + test.late)
					return 0, test.err
				})
				var timedOut *TimeoutError
				err := answer.wait(t.Context(), Config{Timeout: 5 * time.Second})
				if !errors.As(err, &timedOut) || timedOut.Pending[0].Outcome != test.want {
					t.Errorf("got %v, want outcome %v", err, test.want)
				}
			})
		})
	}
}

func TestWithoutATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := script(func(elapsed time.Duration, req *http.Request) (int, error) {
			if elapsed > 24*time.Hour {
				return http.StatusOK, nil
			}
			return unready(elapsed, req)
		})
		if err := answer.wait(t.Context(), Config{Timeout: NoTimeout, Interval: time.Minute}); err != nil {
			t.Error(err)
		}
	})
}

// Timeout, AbsentAfter and Elapsed count from Start.
func TestStart(t *testing.T) {
	for _, test := range []struct {
		cfg         Config
		took, first time.Duration // the wait, and Elapsed of the first attempt
	}{
		{Config{Timeout: 10 * time.Second}, 10 * time.Second, 3 * time.Second},
		{Config{Timeout: time.Minute, AbsentAfter: 5 * time.Second}, 5 * time.Second, 3 * time.Second},
		{Config{Timeout: 2 * time.Second}, 3 * time.Second, 0}, // over before the call: no attempt
	} {
		synctest.Test(t, func(t *testing.T) {
			test.cfg.Start = time.Now()
			time.Sleep(3 * time.Second)
			var first time.Duration
			test.cfg.OnAttempt = func(a Attempt) {
				if a.Number == 1 {
					first = a.Elapsed
				}
			}
			var timedOut *TimeoutError
			err := script(refused).wait(t.Context(), test.cfg)
			took := time.Since(test.cfg.Start)
			if !errors.As(err, &timedOut) || timedOut.Elapsed != took || took < test.took || took > test.took+100*time.Millisecond {
				t.Errorf("got %v after %v, want a timeout after %v", err, took, test.took)
			}
			if first != test.first {
				t.Errorf("the first attempt is reported after %v, want %v", first, test.first)
			}
		})
	}
}

func TestContext(t *testing.T) {
	for name, answer := range map[string]script{"refused": refused, "503": unready, "hang": hang} {
		t.Run("cancelled, "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reason := errors.New("the reason")
				ctx, cancel := context.WithCancelCause(t.Context())
				const after = 750*time.Millisecond - 1 // in a pause, or in the hang
				time.AfterFunc(after, func() { cancel(reason) })
				start := time.Now()
				err := answer.wait(ctx, Config{OnAttempt: func(a Attempt) {
					if a.Outcome == Failed || time.Since(start) == after {
						t.Errorf("got %v, want no attempt that ends by the cancellation", a)
					}
				}})
				if !errors.Is(err, reason) || time.Since(start) != after {
					t.Errorf("got %v after %v, want the context's cause after %v", err, time.Since(start), after)
				}
			})
		})
	}
	t.Run("with a deadline of its own", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var timedOut *TimeoutError
			if err := script(refused).wait(ctx, Config{}); !errors.As(err, &timedOut) || timedOut.Elapsed != time.Second {
				t.Errorf("got %v, want a timeout after 1s", err)
			}
		})
	})
}

func TestConfigThatCanNeverWork(t *testing.T) {
	for _, test := range []struct {
		cfg  Config
		want string
	}{
		{Config{URLs: []string{DefaultURL, "localhost:15020"}}, `Config.URLs: "localhost:15020": the scheme must be http, https, tcp, unix or file`},
		{Config{URLs: []string{""}}, `Config.URLs: "": the scheme must be http, https, tcp, unix or file`},
		{Config{URLs: []string{"http://u:secret@h:x/"}}, `Config.URLs: "http://xxxxx@h:x/": not a valid URL`},
		{Config{RequestTimeout: -1}, "Config.RequestTimeout: -1ns: must be positive"},
		{Config{Interval: time.Millisecond}, "Config.Interval: 1ms: must be at least 10ms"},
		{Config{Interval: -time.Second}, "Config.Interval: -1s: must be at least 10ms"},
		{Config{AbsentAfter: -time.Second}, "Config.AbsentAfter: -1s: must not be negative"},
		{Config{Timeout: -time.Second}, "Config.Timeout: -1s: must be positive, 0 or NoTimeout"},
		{Config{UserAgent: "a\nb"}, `Config.UserAgent: "a\nb": must have no control character`},
		{Config{UserAgent: "a\x7fb"}, `Config.UserAgent: "a\x7fb": must have no control character`},
	} {
		test.cfg.OnAttempt = func(Attempt) { t.Errorf("%s: there was an attempt", test.want) }
		if err := Wait(t.Context(), test.cfg); err == nil || !strings.HasSuffix(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

func TestAccepts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := 0
		answer := script(func(time.Duration, *http.Request) (int, error) {
			next++
			return []int{200, 503, 204}[next-1], nil
		})
		err := answer.wait(t.Context(), Config{Accepts: func(url string, status int) bool { return url == DefaultURL && status == http.StatusNoContent }})
		if err != nil || next != 3 {
			t.Errorf("%v after %d attempts, want ready at the third", err, next)
		}
	})
}

// Refused all along means that there is no sidecar; anything else means that
// there is one.
func TestAbsentAfter(t *testing.T) {
	second := func(answer script) script {
		return func(elapsed time.Duration, req *http.Request) (int, error) {
			if req.URL.Host == "second" && elapsed < time.Second {
				return answer(elapsed, req)
			}
			return refused(elapsed, req)
		}
	}
	for _, test := range []struct {
		name   string
		answer script
		absent bool
		took   time.Duration
	}{
		{"refused", refused, true, 5 * time.Second},
		{"one 503", second(unready), false, time.Minute},
		{"one that is ready", second(func(time.Duration, *http.Request) (int, error) { return 200, nil }), false, time.Minute},
		{"one reset", second(func(time.Duration, *http.Request) (int, error) { return 0, syscall.ECONNRESET }), false, time.Minute},
		{"one that hangs", second(hang), false, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				err := test.answer.wait(t.Context(), Config{
					URLs: []string{"http://first/", "http://second/"}, AbsentAfter: 5 * time.Second,
				})
				var timedOut *TimeoutError
				late := time.Since(start) - test.took
				if !errors.As(err, &timedOut) || timedOut.Absent != test.absent || late < 0 || late > test.took/50 {
					t.Errorf("got %+v after %v, want absent %v after %v", err, time.Since(start), test.absent, test.took)
				}
			})
		})
	}
}

// Time in which the process was stopped says nothing about the sidecar. Here its attempt, or its pause, is 10 s late.
func TestAbsentAfterDoesNotCountFrozenTime(t *testing.T) {
	late := func(number int) {
		if number == 5 {
			time.Sleep(10 * time.Second)
		}
	}
	for _, test := range []struct {
		name            string
		attempt, report func(number int)
	}{
		{"in an attempt", late, func(int) {}},
		{"in a pause", func(int) {}, late},
	} {
		synctest.Test(t, func(t *testing.T) {
			start, number := time.Now(), 0
			answer := script(func(elapsed time.Duration, req *http.Request) (int, error) {
				number++
				test.attempt(number)
				return refused(elapsed, req)
			})
			var timedOut *TimeoutError
			err := answer.wait(t.Context(), Config{AbsentAfter: 5 * time.Second, OnAttempt: func(a Attempt) { test.report(a.Number) }})
			took := time.Since(start)
			if !errors.As(err, &timedOut) || !timedOut.Absent || took < 14*time.Second+frozen || took > 15*time.Second+frozen {
				t.Errorf("%s: got %v after %v, want no sidecar after 15s", test.name, err, took)
			}
		})
	}
}

func TestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		urls := []string{"http://ready/", "http://busy/", "http://gone/"}
		answer := script(func(elapsed time.Duration, req *http.Request) (int, error) {
			switch req.URL.Host {
			case "ready":
				return http.StatusOK, nil
			case "busy":
				return unready(elapsed, req)
			default:
				return refused(elapsed, req)
			}
		})
		var timedOut *TimeoutError
		err := answer.wait(t.Context(), Config{URLs: urls, Once: true})
		if !errors.As(err, &timedOut) || timedOut.Attempts != 3 || len(timedOut.Pending) != 2 || time.Since(start) != 0 {
			t.Errorf("got %v after %v, want a timeout at once, with 3 attempts, of 2 that are not ready", err, time.Since(start))
		}
		if err := answer.wait(t.Context(), Config{URLs: urls[:1], Once: true}); err != nil {
			t.Errorf("got %v, want ready", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		answer := script(func(elapsed time.Duration, _ *http.Request) (int, error) {
			if elapsed > 0 {
				return http.StatusOK, nil
			}
			time.Sleep(DefaultRequestTimeout + time.Second) // frozen
			return 0, context.DeadlineExceeded
		})
		if err := answer.wait(t.Context(), Config{Once: true}); err != nil {
			t.Errorf("got %v, want one more attempt after a freeze, that is ready", err)
		}
	})
}
