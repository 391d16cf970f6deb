package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/cmd/cognate/internal/sqlstore"
	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/store"
)

// importPool is the pool that users are imported into.
var importPool = poolconfig.Pool{ID: "local_A1", Settings: userpool.Settings{UsernameAttributes: []string{"email"}}}

// usersCSV returns a CSV file of n users.
func usersCSV(n int) []byte {
	text := []byte("cognito:username,name,email,email_verified\n")
	for i := range n {
		text = fmt.Appendf(text, "user%d@example.com,User %d,user%d@example.com,TRUE\n", i, i, i)
	}
	return text
}

// newImport returns an import of n users that says nothing of its progress.
func newImport(n int) *userImport {
	return &userImport{
		pool: importPool, text: usersCSV(n), name: "users.csv", total: n, report: newProgress(io.Discard, time.Now),
	}
}

// failing is a store that fails, or is interrupted, at the transaction of users with a
// number. The pool makes its keys meanwhile, which are not counted.
type failing struct {
	store.Store

	left int
	at   func() error
}

func (f *failing) Apply(ctx context.Context, pool string, changes ...store.Change) error {
	if changes[0].Kind == "user" {
		f.left--
		if f.left == 0 {
			err := f.at()
			if err != nil {
				return err
			}
		}
	}
	return f.Store.Apply(ctx, pool, changes...)
}

// TestImportSays has imports that end early: the terminal says what was done and how to
// go on, the exit status is not 0, and the next import does the rest.
func TestImportSays(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		at      int // the transaction of users
		full    bool
		out     string
		says    string
		another string
	}{
		{"Ctrl-C", 2, false, "500 users added to local_A1, 0 existed already.\n",
			"interrupted; 500 users of users.csv are left: the same command goes on with them",
			"500 users added to local_A1, 500 existed already.\n"},
		{"Ctrl-C in the last batch", 4, false, "1000 users added to local_A1, 0 existed already.\n", "",
			"0 users added to local_A1, 1000 existed already.\n"},
		{"a full disk", 2, true, "250 users added to local_A1, 0 existed already.\n",
			"the store failed: userpool: creating users: the disk is full; 750 users of users.csv are left: the same " +
				"command goes on with them",
			"750 users added to local_A1, 250 existed already.\n"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		s := &failing{Store: memstore.New(), left: tt.at, at: func() error {
			if tt.full {
				return errors.New("the disk is full")
			}
			cancel()
			return nil
		}}
		var out bytes.Buffer
		err := newImport(1000).run(ctx, &out, s)
		cancel()
		if fmt.Sprint(err) != tt.says && (err != nil || tt.says != "") || out.String() != tt.out {
			t.Errorf("%s: it says %q, and the error is %v", tt.name, &out, err)
		}
		out.Reset()
		err = newImport(1000).run(t.Context(), &out, s)
		if err != nil || out.String() != tt.another {
			t.Errorf("%s, again: it says %q, and the error is %v", tt.name, &out, err)
		}
	}
}

// TestImportInterruptedSoon presses Ctrl-C before the first user is added.
func TestImportInterruptedSoon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "users.csv")
	err := os.WriteFile(file, usersCSV(10), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, wrong bytes.Buffer
	args := []string{"pool", "import", file, "--store", filepath.Join(dir, "pool.db")}
	status := run(ctx, args, terminal.Streams{Out: &out, Err: &wrong})
	if status != 1 || wrong.String() != "cognate: interrupted; no user was added\n" {
		t.Errorf("status %d, it says %q and %q", status, &out, &wrong)
	}
}

// importer is the program that TestKillImport kills: it imports the file of its first argument
// into the SQLite file of its second one. After each batch of users it prints how many
// are stored, and waits for a line.
func importer() {
	text, err := os.ReadFile(os.Args[1])
	if err == nil {
		asked := bufio.NewReader(os.Stdin)
		err = importTo(context.Background(), os.Args[2], text, func(done poolconfig.Imported) {
			fmt.Println(done.Done())
			_, _ = asked.ReadString('\n') // at the end of the input it goes on
		})
	}
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

// importTo imports users into a SQLite file.
func importTo(ctx context.Context, path string, text []byte, progress func(poolconfig.Imported)) error {
	s, err := sqlstore.Open(ctx, path)
	if err != nil {
		return err
	}
	up, err := importInto(ctx, s, importPool)
	if err == nil {
		_, err = poolconfig.Import(ctx, up, importPool, text, "users.csv", progress)
	}
	return errors.Join(err, s.Close())
}

// TestKillImport kills imports in the middle of a batch of users, until all users are
// there. Of no batch only a part is there, what was acknowledged is there, and in the
// end the store has what one import puts into it.
func TestKillImport(t *testing.T) {
	t.Parallel()
	const users, batch = 3000, 250
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	file := filepath.Join(dir, "users.csv")
	path, whole := filepath.Join(dir, "killed.db"), filepath.Join(dir, "whole.db")
	err := errors.Join(
		os.WriteFile(file, usersCSV(users), 0o600),
		importTo(t.Context(), whole, usersCSV(users), func(poolconfig.Imported) {}),
	)
	if err != nil {
		t.Fatal(err)
	}
	kills := 0
	for there := 0; there < users; kills++ {
		// Of users who are there, there is nothing to kill.
		acknowledged := killImport(t, file, path, there/batch+random.IntN(3)+1, random)
		now := len(storedUsers(t, path))
		if now < acknowledged || now%batch != 0 || now < there {
			t.Fatalf("seed %d: %d users are there, %d before, and %d were acknowledged", seed, now, there, acknowledged)
		}
		there = now
	}
	if kills < users/batch/4 {
		t.Errorf("seed %d: only %d imports were killed", seed, kills)
	}
	if diff := cmp.Diff(storedUsers(t, whole), storedUsers(t, path)); diff != "" {
		t.Errorf("seed %d: users (-want +got):\n%s", seed, diff)
	}
	var there poolconfig.Imported
	err = importTo(t.Context(), path, usersCSV(users), func(done poolconfig.Imported) { there = done })
	if err != nil || there != (poolconfig.Imported{There: users}) { // found by their names
		t.Errorf("seed %d: the next import: %+v, %v", seed, there, err)
	}
}

// killImport starts an import, lets it do some batches, kills it while it writes the next
// one, and returns how many users it acknowledged.
func killImport(t *testing.T, file, path string, batches int, random *rand.Rand) (acknowledged int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Args = []string{"importer", file, path}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	for range batches {
		line, more := <-lines
		if !more {
			break // it is done with all
		}
		acknowledged, err = strconv.Atoi(line)
		if err != nil {
			t.Fatal(line)
		}
		_, _ = io.WriteString(in, "\n") // it may have ended
	}
	if awaitWrite(path, lines) {
		time.Sleep(time.Duration(random.IntN(2000)) * time.Microsecond)
	}
	_ = cmd.Process.Kill()
	for range lines { // one that came too late
	}
	_ = cmd.Wait()
	return acknowledged
}

// awaitWrite waits until the process that prints the lines writes to the SQLite file's log,
// and reports whether it does, before it has finished the batch.
func awaitWrite(path string, lines <-chan string) bool {
	size := func() int64 {
		info, err := os.Stat(path + "-wal")
		if err != nil {
			return 0
		}
		return info.Size()
	}
	for before := size(); size() == before; {
		select {
		case <-lines:
			return false
		default:
			time.Sleep(20 * time.Microsecond)
		}
	}
	return true
}

// storedUsers returns what a SQLite file has of each user, without the times.
func storedUsers(t *testing.T, path string) (all []string) {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for q := (store.Query{Limit: 1000}); ; {
		list, err := s.List(t.Context(), importPool.ID, "user", q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			body, _, _ := strings.Cut(string(r.Body), `"Created"`)
			all = append(all, fmt.Sprint(r.ID, r.Names, r.Terms, r.Version, body))
		}
		if len(list) < q.Limit {
			return all
		}
		q.After = list[len(list)-1].ID
	}
}

// BenchmarkImport adds users to a SQLite file that has some already, 10,000 in each
// round.
func BenchmarkImport(b *testing.B) {
	path := filepath.Join(b.TempDir(), "pool.db")
	text := usersCSV(10_000)
	for round := 0; b.Loop(); round++ {
		other := bytes.ReplaceAll(text, []byte("user"), fmt.Appendf(nil, "r%d-user", round))
		other = bytes.Replace(other, fmt.Appendf(nil, "cognito:r%d-user", round), []byte("cognito:user"), 1)
		err := importTo(b.Context(), path, other, func(poolconfig.Imported) {})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/10_000, "µs/user")
}
