package compose

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// gateway is the address of this network in that of the containers.
const gateway = "172.30.0.1"

// A network is a network of containers beside that of this process, which stands for the
// engine's machine: a bridge, and a resolver that knows the containers' names.
type network struct {
	t     *testing.T
	last  int // part of the last address that was given away
	mu    sync.Mutex
	names map[string]netip.Addr
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{t: t, last: 1, names: map[string]netip.Addr{}}
	n.ip("link set lo up")
	n.ip("link add cognate0 type bridge")
	n.ip("addr add " + gateway + "/24 dev cognate0")
	n.ip("link set cognate0 up")
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", gateway+":53")
	if err != nil {
		t.Fatalf("the resolver of the containers: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go n.resolve(conn)
	return n
}

// ip runs ip of iproute2.
func (n *network) ip(args string) {
	n.t.Helper()
	out, err := exec.CommandContext(n.t.Context(), "ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("ip %s: %v (ip is in the package iproute2)\n%s", args, err, out)
	}
}

// add connects a new namespace with the name of a container, and lets the resolver know its
// names.
func (n *network) add(container string, names ...string) netip.Addr {
	n.t.Helper()
	n.last++
	addr := netip.MustParseAddr(fmt.Sprintf("172.30.0.%d", n.last))
	outside := fmt.Sprintf("cognate%d", n.last)
	n.ip("netns add " + container)
	n.ip("link add " + outside + " type veth peer name eth0 netns " + container)
	n.ip("link set " + outside + " master cognate0 up")
	n.ip("-n " + container + " link set lo up")
	n.ip(fmt.Sprintf("-n %s addr add %s/24 dev eth0", container, addr))
	n.ip("-n " + container + " link set eth0 up")
	for _, name := range names {
		n.name(name, addr)
	}
	return addr
}

// name gives an address a name.
func (n *network) name(name string, addr netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names[name+"."] = addr
}

// within runs f on a thread that is in a container's namespace: a process that it starts is, too.
func within(container string, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		ns, err := os.Open("/run/netns/" + container)
		if err == nil {
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
			_ = ns.Close() // it was only read
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// resolve answers as an engine's resolver does: with the one address of a container, with none of
// another type, and that any other name does not exist.
func (n *network) resolve(conn net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		size, from, err := conn.ReadFrom(buf)
		if err != nil {
			return // it was closed
		}
		var m dnsmessage.Message
		err = m.Unpack(buf[:size])
		if err != nil || len(m.Questions) != 1 {
			continue
		}
		q := m.Questions[0]
		n.mu.Lock()
		addr, known := n.names[strings.ToLower(q.Name.String())]
		n.mu.Unlock()
		answer := dnsmessage.Message{
			Header:    dnsmessage.Header{ID: m.ID, Response: true, RecursionDesired: true, RecursionAvailable: true},
			Questions: m.Questions,
		}
		switch {
		case !known:
			answer.RCode = dnsmessage.RCodeNameError
		case q.Type == dnsmessage.TypeA:
			answer.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 600},
				Body:   &dnsmessage.AResource{A: addr.As4()},
			}}
		}
		packed, err := answer.Pack()
		if err == nil {
			_, _ = conn.WriteTo(packed, from) // a resolver asks again
		}
	}
}

// publish forwards connections from an address of the engine's machine.
func (n *network) publish(at, to string) {
	n.t.Helper()
	l, err := new(net.ListenConfig).Listen(n.t.Context(), "tcp", at)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // it was closed
			}
			go forward(conn, to)
		}
	}()
}

func forward(conn net.Conn, to string) {
	defer func() { _ = conn.Close() }() // nothing is left to send
	other, err := new(net.Dialer).DialContext(context.Background(), "tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = other.Close() }() // as above
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{conn, other}, {other, conn}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1]) // it ends when one side does
			done <- struct{}{}
		}()
	}
	<-done
}
