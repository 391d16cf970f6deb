package redistest

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// A Sentinel is a master with one replica, and three Sentinels that watch them.
type Sentinel struct {
	// Addrs are the addresses of the Sentinels.
	Addrs []string
	// MasterName is the Sentinels' name for the master.
	MasterName string
	// Master and Replica are the servers in their roles at the start.
	Master, Replica *Server

	sentinels []*Server
}

// StartSentinel starts the five servers and waits until they know each other.
func StartSentinel(tb testing.TB) *Sentinel {
	tb.Helper()
	g := &Sentinel{MasterName: "mymaster", Master: Start(tb, "repl-diskless-sync-delay 0")}
	host, port, _ := net.SplitHostPort(g.Master.Addr)
	g.Replica = Start(tb, "repl-diskless-sync-delay 0", "replicaof "+host+" "+port)
	g.Replica.until(contains("master_link_status:up"), "INFO", "replication")
	for range 3 {
		s := start(tb, []string{"--sentinel"}, []string{
			fmt.Sprintf("sentinel monitor %s %s %s 2", g.MasterName, host, port),
			// FailOver does not wait until the Sentinels notice the failure and vote,
			// which can take many rounds on a busy machine.
			"sentinel down-after-milliseconds " + g.MasterName + " 60000",
			"sentinel failover-timeout " + g.MasterName + " 3000",
		})
		// This is faster than in production, so that the servers find each other
		// quickly.
		s.must("SENTINEL", "DEBUG", "INFO-PERIOD", "200", "PING-PERIOD", "100", "PUBLISH-PERIOD", "200",
			"ASK-PERIOD", "100", "TILT-PERIOD", "100")
		g.sentinels = append(g.sentinels, s)
		g.Addrs = append(g.Addrs, s.Addr)
	}
	for _, s := range g.sentinels {
		s.until(contains("num-other-sentinels 2", "num-slaves 1"), "SENTINEL", "MASTER", g.MasterName)
	}
	return g
}

// FailOver kills the master, makes a Sentinel promote the replica, and waits until all
// Sentinels know the new master.
func (g *Sentinel) FailOver() {
	g.Master.tb.Helper()
	g.Master.Kill()
	g.sentinels[0].must("SENTINEL", "FAILOVER", g.MasterName)
	_, port, _ := net.SplitHostPort(g.Replica.Addr)
	for _, s := range g.sentinels {
		s.until(contains(port), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", g.MasterName)
	}
	g.Replica.until(contains("role:master"), "INFO", "replication")
}

// A Cluster is three masters, each with a replica.
type Cluster struct {
	// Addrs are the addresses of all six servers, the masters' first.
	Addrs []string
	// Masters and Replicas are the servers in their roles at the start. Replicas[i]
	// replicates Masters[i].
	Masters, Replicas []*Server
}

const clusterMasters = 3

// StartCluster starts the servers and waits until they agree that they are a cluster.
func StartCluster(tb testing.TB) *Cluster {
	tb.Helper()
	var nodes []*Server
	for range 2 * clusterMasters {
		nodes = append(nodes, Start(tb, "cluster-enabled yes", "cluster-port $BUS", "cluster-node-timeout 1000",
			"cluster-replica-no-failover yes", "repl-diskless-sync-delay 0"))
	}
	c := &Cluster{Masters: nodes[:clusterMasters], Replicas: nodes[clusterMasters:]}
	for i, n := range nodes {
		c.Addrs = append(c.Addrs, n.Addr)
		n.must("CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(i+1))
		host, port, _ := net.SplitHostPort(n.Addr)
		for _, other := range nodes[:i] {
			other.must("CLUSTER", "MEET", host, port, n.bus)
		}
	}
	for i, m := range c.Masters {
		first, last := i*16384/clusterMasters, (i+1)*16384/clusterMasters-1
		m.must("CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(first), fmt.Sprint(last))
	}
	c.replicate(nodes)
	for _, n := range nodes {
		// All nodes know each other now, which took less time with a short timeout.
		// From now on a short timeout would treat a slow node on a busy machine as
		// failed.
		n.must("CONFIG", "SET", "cluster-node-timeout", "60000")
	}
	return c
}

// replicate makes the replicas replicate their masters, after all nodes know each
// other.
func (c *Cluster) replicate(nodes []*Server) {
	for _, n := range nodes {
		n.tb.Helper()
		n.until(contains("cluster_known_nodes:6", "cluster_size:3"), "CLUSTER", "INFO")
	}
	for i, r := range c.Replicas {
		r.must("CLUSTER", "REPLICATE", c.Masters[i].must("CLUSTER", "MYID"))
	}
	for _, r := range c.Replicas {
		r.until(contains("role:slave", "master_link_status:up"), "INFO", "replication")
	}
	replicas := func(answer string) bool { return strings.Count(answer, "slave") == len(c.Replicas) }
	for _, n := range nodes {
		n.until(replicas, "CLUSTER", "NODES")
		n.until(contains("cluster_state:ok"), "CLUSTER", "INFO")
	}
}

// FailOver kills a master, makes its replica take over, and waits until it has. It does
// not wait until the other nodes notice the failure and vote.
func (c *Cluster) FailOver(i int) {
	c.Masters[i].tb.Helper()
	c.Masters[i].Kill()
	c.Replicas[i].must("CLUSTER", "FAILOVER", "TAKEOVER")
	c.Replicas[i].until(contains("role:master"), "INFO", "replication")
	c.Replicas[i].until(contains("cluster_state:ok"), "CLUSTER", "INFO")
}
