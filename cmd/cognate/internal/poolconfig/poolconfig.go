// Package poolconfig reads the configuration of local user pools: the strict YAML file
// of cognate pool, the JSON that aws cognito-idp describe-user-pool and
// describe-user-pool-client print, and the CSV of a user import.
//
// It knows how the files are written, and at which line and column each value is. The
// Check functions of package userpool decide what is allowed; poolconfig passes them
// everything that it reads, and reports their errors with the line and column of the
// value.
package poolconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/textfile"
	"github.com/cognate-auth/cognate/userpool"
)

// File is what a configuration says.
type File struct {
	Path  string // the YAML file
	Pools []Pool // at least one
	// Sources are the files that were read: if one of them changes, the configuration
	// has changed.
	Sources []string
	// Notes are sentences about what can be used and is not as it was written: what was
	// left out, see [Loader.FromAWS], and colours that can't be read.
	Notes []string
}

// Pool is one user pool.
type Pool struct {
	ID string
	// Domain is the prefix of a name below localhost: myapp is for myapp.localhost. If
	// it is empty, there is no such name. CustomDomain is a whole host name.
	Domain, CustomDomain string
	// Issuer is the iss claim, if it differs from the local address.
	Issuer string

	Settings userpool.Settings
	Clients  []userpool.Client
	Users    []User
}

// User is a user as a file describes them. Sub is always set, so that tests may rely on
// it: it comes from the file, or is derived from the pool's id and the user name.
type User struct {
	userpool.NewUser

	derived bool // Sub is derived from the name
	line    int  // in the CSV file; zero: elsewhere
}

// Loader reads files. The zero value uses the system's files and environment.
type Loader struct {
	ReadFile func(path string) ([]byte, error)
	Getenv   func(name string) (string, bool)
}

// Load reads a YAML file and the files that it names. If their content is wrong, the
// error is an [*Error], and nothing of the configuration is returned.
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
		return make([]byte, maxFile+1), nil // the parser reports that it is too large
	}
	if err != nil {
		missing := "to write one: cognate pool init " + path
		if strings.EqualFold(filepath.Ext(path), ".json") {
			missing = "save there what aws cognito-idp describe-user-pool prints"
		}
		return nil, fmt.Errorf("reading the configuration: %w", textfile.Explain(err, missing))
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

// readBelow reads a file that the configuration names; it must be in the
// configuration's folder or below.
func (l Loader) readBelow(config, name string, limit int64) ([]byte, error) {
	if l.ReadFile == nil || !filepath.IsLocal(name) {
		return textfile.ReadBelow(filepath.Dir(config), name, limit)
	}
	text, err := l.ReadFile(filepath.Join(filepath.Dir(config), name))
	if err != nil {
		return nil, err
	}
	return textfile.Decode(text, limit)
}

// reason removes the name of the file from an error, because the text around it has the
// name.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
