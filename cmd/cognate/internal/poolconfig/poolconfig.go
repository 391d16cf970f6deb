// Package poolconfig reads what local user pools are told: the strict YAML file
// of cognate pool, the JSON that aws cognito-idp describe-user-pool and
// describe-user-pool-client print, and the CSV of a user import.
//
// It knows how things are written and where they stand. What is allowed is
// decided in package userpool, whose Check functions are asked about everything
// that was read; their answers come back with the line and column of the value
// that they are about.
package poolconfig

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cognate-auth/cognate/userpool"
)

// File is what one configuration says.
type File struct {
	Path  string // of the YAML file
	Pools []Pool // at least one
	// Sources are the files that were read: a change of one of them is a change
	// of the configuration.
	Sources []string
	// Notes say what was read and left out; see [FromAWS].
	Notes []string
}

// Pool is one user pool.
type Pool struct {
	ID string
	// Domain is the prefix of a name below localhost, as in myapp for
	// myapp.localhost; empty: none. CustomDomain is a whole host name.
	Domain, CustomDomain string
	// Issuer is the iss claim, when it is not the local address.
	Issuer string

	Settings userpool.Settings
	Clients  []userpool.Client
	Users    []User
}

// User is a user as a file describes them. Sub is always set, so that a test may
// count on it: given, or made from the pool's id and the user name.
type User struct {
	userpool.NewUser

	derived bool // Sub is made from the name
}

// Loader reads files. The zero value reads those of the system, and its
// environment.
type Loader struct {
	ReadFile func(path string) ([]byte, error)
	Getenv   func(name string) (string, bool)
}

// Load reads a YAML file and what it names. The error is an [*Error] for what
// the file says; then nothing of it counts.
func (l Loader) Load(path string) (*File, error) {
	text, err := l.read(path, maxFile)
	if err != nil {
		return nil, err
	}
	return l.Parse(path, text)
}

// Parse reads the text of the YAML file at path; see [Loader.Load].
func (l Loader) Parse(path string, text []byte) (*File, error) {
	in := &reading{loader: l, file: &File{Path: path, Sources: []string{path}}}
	in.problems.file = path
	in.pools(text)
	err := in.problems.err()
	if err != nil {
		return nil, err
	}
	return in.file, nil
}

func (l Loader) getenv(name string) (string, bool) {
	if l.Getenv != nil {
		return l.Getenv(name)
	}
	return os.LookupEnv(name)
}

// read reads a file of at most limit bytes, and one more, which the caller
// refuses.
func (l Loader) read(path string, limit int64) ([]byte, error) {
	if l.ReadFile != nil {
		return l.ReadFile(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return text, nil
}

// beside is the path of a file that the configuration names: relative to it.
func beside(config, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(config), name)
}
