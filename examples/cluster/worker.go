package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
)

// startWorker starts this program again as one of the processes, and returns a proxy to it.
func startWorker(ctx context.Context, key string) (http.Handler, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append([]string{"-worker"}, os.Args[1:]...)
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // this program, with its own arguments
	cmd.Env = append(os.Environ(), "COOKIE_KEY="+key)
	cmd.Stderr = os.Stderr
	_, err = cmd.StdinPipe() // the worker ends when this end is closed, however this process ends
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	err = cmd.Start()
	if err != nil {
		return nil, err
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("process %d did not start: %w", cmd.Process.Pid, cmd.Wait())
	}
	go func() {
		err := cmd.Wait()
		if ctx.Err() == nil {
			log.Printf("process %d ended: %v", cmd.Process.Pid, err) //nolint:gosec // a number and an exit status
		}
	}()
	return proxyTo(&url.URL{Scheme: "http", Host: strings.TrimSpace(addr)}), nil
}

func proxyTo(target *url.URL) http.Handler {
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // the app's own host, which its checks of a request's origin need
		r.SetXForwarded()
	}}
}
