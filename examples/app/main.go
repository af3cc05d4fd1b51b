// Command app stands for your app in the examples: it serves HTTP, says which
// process it is, and ends when it gets SIGTERM.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)

	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	go func() {
		fmt.Fprintln(os.Stderr, "app:", http.ListenAndServe(":8080", nil))
		os.Exit(1)
	}()

	fmt.Printf("app: started as PID %d\n", os.Getpid())
	fmt.Printf("app: %s, bye\n", <-stop)
}
