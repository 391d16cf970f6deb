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
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/textfile"
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
	in := l.reading(path)
	text, err := in.config(path)
	if err != nil {
		return nil, err
	}
	return in.parse(text)
}

// Parse reads the text of the YAML file at path; see [Loader.Load].
func (l Loader) Parse(path string, text []byte) (*File, error) { return l.reading(path).parse(text) }

func (l Loader) reading(path string) *reading {
	return &reading{
		loader: l, file: &File{Path: path, Sources: []string{path}}, problems: problems{file: path},
		read: map[string]readFile{},
	}
}

func (in *reading) parse(text []byte) (*File, error) {
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

// config reads a file that describes pools.
func (in *reading) config(path string) ([]byte, error) {
	text, err := in.loader.read(path)
	if errors.Is(err, textfile.ErrTooLarge) {
		return make([]byte, maxFile+1), nil // the parser has the sentence for it
	}
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return text, nil
}

func (l Loader) read(path string) ([]byte, error) {
	if l.ReadFile == nil {
		return textfile.Read(path, maxFile)
	}
	text, err := l.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return textfile.Decode(text, maxFile)
}

// below reads a file that the configuration names: one in its folder, or below.
func (l Loader) below(config, name string, limit int64) ([]byte, error) {
	if l.ReadFile == nil || !filepath.IsLocal(name) {
		return textfile.ReadBelow(filepath.Dir(config), name, limit)
	}
	text, err := l.ReadFile(filepath.Join(filepath.Dir(config), name))
	if err != nil {
		return nil, err
	}
	return textfile.Decode(text, limit)
}

// reason leaves out the name of the file, which the sentence around it has.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
