package sqlstore_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/sqlstore"
	"github.com/cognate-auth/cognate/userpool/store"
)

// The test program is also the second process: with this variable it runs child.
const childEnv = "SQLSTORE_TEST_CHILD"

// child opens the database that childEnv names and works on it until it is killed.
func child() {
	work, rest, _ := strings.Cut(os.Getenv(childEnv), " ")
	first, url, _ := strings.Cut(rest, " ")
	s, err := sqlstore.Open(context.Background(), url)
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	if work == "open" {
		fmt.Println("opened")
		return
	}
	n, _ := strconv.Atoi(first) // the parent wrote it
	for ; ; n++ {
		err = s.Apply(context.Background(), "p", pair(n)...)
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		fmt.Println(n) // only after the store has acknowledged it
	}
}

// pair returns a change of two records and a counter, which belong together.
func pair(n int) []store.Change {
	changes := []store.Change{}
	for _, side := range []string{"a", "b"} {
		r := store.Record{
			Kind: "pair", ID: fmt.Sprintf("%08d%s", n, side), Owner: side, Names: []string{fmt.Sprint(n, side)},
			Terms: []string{fmt.Sprint("number:", n)}, Body: make([]byte, 3000),
		}
		changes = append(changes, store.Change{Op: store.Create, Record: r})
	}
	last := store.Record{Kind: "last", ID: "last", Body: fmt.Append(nil, n)}
	return append(changes,
		store.Change{Op: store.Delete, Record: last}, store.Change{Op: store.Create, Record: last})
}

// startChild starts this program as a child and returns its output.
func startChild(t *testing.T, work string, first int, url string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", childEnv, work, first, url))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// TestKill kills a process that writes, at any time, several times. Everything that it
// acknowledged must be in the store, and of a change that it did not acknowledge, all
// or nothing.
func TestKill(t *testing.T) {
	t.Parallel()
	path, next := sqlite(t), 0
	for range 8 {
		cmd, lines := startChild(t, "write", next, path)
		acknowledged := next - 1
		var timer *time.Timer
		for lines.Scan() {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatal(lines.Text())
			}
			acknowledged = n
			if timer == nil { // it works; from now on its time is limited
				timer = time.AfterFunc(rand.N(150*time.Millisecond), func() { _ = cmd.Process.Kill() })
			}
		}
		_ = cmd.Wait() // it was killed
		if acknowledged < next {
			t.Fatal("the process wrote nothing")
		}
		next = checkPairs(t, path, acknowledged)
	}
}

// checkPairs checks that all pairs up to the acknowledged one are in the store, and
// possibly one more. It returns the number of the next pair.
func checkPairs(t *testing.T, path string, acknowledged int) int {
	t.Helper()
	s := open(t, path)
	var last store.Record
	q := store.Query{Limit: 500}
	for n := 0; ; {
		list, err := s.List(t.Context(), "p", "pair", q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			if want := fmt.Sprintf("%08d%c", n/2, "ab"[n%2]); r.ID != want {
				t.Fatalf("got record %s, want %s", r.ID, want)
			}
			named, ok, err := s.Find(t.Context(), "p", "pair", r.Names[0])
			if err != nil || !ok || named.ID != r.ID {
				t.Fatalf("finding %s by name: got %q, error %v", r.ID, named.ID, err)
			}
			n++
		}
		if len(list) > 0 {
			q.After = list[len(list)-1].ID
			continue
		}
		last, _, err = s.Get(t.Context(), "p", "last", "last")
		if err != nil {
			t.Fatal(err)
		}
		if n%2 != 0 || n/2 < acknowledged+1 || n/2 > acknowledged+2 || string(last.Body) != strconv.Itoa(n/2-1) {
			t.Fatalf("%d records are there, the last pair is %s, and %d was acknowledged", n, last.Body, acknowledged)
		}
		return n / 2
	}
}

// TestMigrateOnce starts processes on an empty database at the same time.
func TestMigrateOnce(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, database func(testing.TB) string) {
		for range 2 {
			url := database(t)
			var outputs []*bufio.Scanner
			var children []*exec.Cmd
			for range 3 {
				cmd, lines := startChild(t, "open", 0, url)
				outputs, children = append(outputs, lines), append(children, cmd)
			}
			for i, lines := range outputs {
				lines.Scan()
				if lines.Text() != "opened" {
					t.Errorf("got %q, want that the database is opened", lines.Text())
				}
				_ = children[i].Wait() // only its output matters
			}
			open(t, url)
		}
	})
}
