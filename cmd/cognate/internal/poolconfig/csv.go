package poolconfig

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/textfile"
	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool"
)

// Cognito's limits of an import (developer guide, "importing users from a CSV file"). A
// file that the YAML names is read at every start.
const (
	maxCSV       = 100 << 20
	maxCSVRows   = 500_000
	maxCSVBeside = 20 << 20
	maxCSVCustom = 50 // as many as a pool can have
)

const (
	csvUsername = "cognito:username"
	csvMFA      = "cognito:mfa_enabled"
)

// csvColumns are the columns of Cognito's header. Columns for custom attributes may
// follow.
var csvColumns = []string{
	csvUsername, "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username",
	"profile", "picture", "website", "email", "email_verified", "gender", "birthdate", "zoneinfo", "locale",
	"phone_number", "phone_number_verified", "address", "updated_at", csvMFA,
}

// ReadCSVFile returns the text of a file of users, for [ReadCSV] and [Import]. It has at
// most 100 MB, as at Cognito.
func ReadCSVFile(path string) ([]byte, error) {
	text, err := textfile.Read(path, maxCSV)
	if errors.Is(err, textfile.ErrTooLarge) {
		return nil, fmt.Errorf("%s has more than 100 MB; import it in parts", path)
	}
	return text, err
}

// ReadCSV reads users in the form of Cognito's import and passes each valid one to
// yield. The columns may be in any order, and some may be missing. All lines are
// checked; the error is an [*Error] with the line of each problem. What yield returns
// is a problem of the user's line if it is a [*userpool.Error]; any other error of yield
// ends the reading and is returned. Imported users have no password: they are
// RESET_REQUIRED and choose one with a code.
func ReadCSV(text []byte, name string, p Pool, yield func(User) error) error {
	return newCSVReading(name, p, yield).read(text)
}

type csvReading struct {
	csv      *csv.Reader
	columns  []string
	problems problems
	pool     Pool
	yield    func(User) error
	names    map[string]bool
}

func newCSVReading(name string, p Pool, yield func(User) error) *csvReading {
	return &csvReading{problems: problems{file: name}, pool: p, yield: yield, names: map[string]bool{}}
}

func (in *csvReading) read(text []byte) error {
	in.csv = csv.NewReader(bytes.NewReader(text))
	in.csv.ReuseRecord = true
	if in.header() {
		err := in.rows()
		if err != nil {
			return err
		}
	}
	return in.problems.err()
}

func (in *csvReading) header() bool {
	record, err := in.csv.Read()
	if err != nil {
		in.problems.add(0, 0, "the file has no header; expected %s,...", strings.Join(csvColumns[:3], ","))
		return false
	}
	in.columns = slices.Clone(record)
	most := len(csvColumns) + maxCSVCustom
	switch {
	case len(in.columns) > most:
		in.problems.add(1, 0, "the header has %d columns; expected at most %d", len(in.columns), most)
		return false
	case len(in.columns) == 1 && strings.Contains(in.columns[0], ";"):
		in.problems.add(1, 1, "the columns are separated by semicolons; expected commas")
		return false
	}
	for i, c := range in.columns {
		_, column := in.csv.FieldPos(i)
		switch {
		case slices.Contains(in.columns[:i], c):
			in.problems.add(1, column, "the column %q appears twice", clip(c))
		case !slices.Contains(csvColumns, c) && !customColumn(c):
			in.problems.add(1, column, "unknown column %q; %s", clip(c), didYouMean(c, csvColumns))
		}
	}
	if !slices.Contains(in.columns, csvUsername) {
		in.problems.add(1, 1, "the column %s is missing", csvUsername)
	}
	return len(in.problems.list) == 0
}

// customColumn reports whether userpool accepts the name of a custom attribute.
func customColumn(name string) bool {
	custom := userpool.Settings{Schema: []userpool.Attribute{{Name: name}}}
	return strings.HasPrefix(name, "custom:") && userpool.CheckSettings(custom) == nil
}

// rows reads all lines. Its error is the one of yield that ends the reading.
func (in *csvReading) rows() error {
	for row := 0; ; row++ {
		record, err := in.csv.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if row >= maxCSVRows {
			in.problems.add(0, 0, "the file has more than %d users", maxCSVRows)
			return nil
		}
		line := 0
		if len(record) > 0 {
			line, _ = in.csv.FieldPos(0)
		}
		var u User
		if err == nil {
			u, err = in.row(record)
		}
		if err == nil {
			u.line = line
			err = in.yield(u)
			if _, rule := errors.AsType[*userpool.Error](err); err != nil && !rule {
				return err
			}
		}
		if e, ok := errors.AsType[*csv.ParseError](err); ok {
			line, err = e.StartLine, e.Err
			if errors.Is(err, csv.ErrFieldCount) {
				fields := terminal.Count(len(in.columns), "field", "fields")
				err = fmt.Errorf("expected %s as in the header, got %d", fields, len(record))
			}
		} else if err != nil && line == 0 {
			in.problems.add(0, 0, "%v", err) // the rest of the file can't be read
			return nil
		}
		if err != nil {
			in.problems.add(line, 0, "%s", sentence(err))
		}
	}
}

// row returns the user of one line.
func (in *csvReading) row(record []string) (User, error) {
	u := User{NewUser: userpool.NewUser{Attributes: map[string]string{}}}
	for i, value := range record {
		switch name := in.columns[i]; {
		case name == csvUsername:
			u.Username = strings.Clone(value)
		case name == csvMFA && strings.EqualFold(value, "true"):
			u.MFA = []string{userpool.FactorSMS}
		case name == csvMFA && value != "" && !strings.EqualFold(value, "false"):
			return u, fmt.Errorf("%s: expected true or false, not %q", csvMFA, clip(value))
		case name == csvMFA, value == "":
		default:
			u.Attributes[strings.Clone(name)] = strings.Clone(value)
		}
	}
	if u.Username == "" {
		return u, fmt.Errorf("%s is empty", csvUsername)
	}
	dropEmptyVerified(u)
	u.complete(in.pool.ID)
	name := strings.ToLower(u.Username)
	switch {
	case in.names[name]:
		return u, fmt.Errorf("the user %q appears twice in the file", clip(u.Username))
	case !isTrue(u, "email_verified") && !isTrue(u, "phone_number_verified"):
		return u, errors.New("neither email_verified nor phone_number_verified is true; " +
			"an imported user chooses a password by a code, which has to go somewhere")
	case len(u.MFA) > 0 && u.Attributes["phone_number"] == "":
		return u, fmt.Errorf("%s: a code by short message needs a phone_number", csvMFA)
	}
	in.names[name] = true
	return u, u.check(in.pool.Settings)
}

// dropEmptyVerified removes email_verified and phone_number_verified if they are false
// and there is no such address: Cognito's own template fills in both columns for
// everyone.
func dropEmptyVerified(u User) {
	for _, name := range []string{"email", "phone_number"} {
		if u.Attributes[name] == "" && strings.EqualFold(u.Attributes[name+"_verified"], "false") {
			delete(u.Attributes, name+"_verified")
		}
	}
}

func isTrue(u User, attribute string) bool { return strings.EqualFold(u.Attributes[attribute], "true") }
