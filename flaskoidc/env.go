package flaskoidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// FromEnv is [Load] for environment variables in the form of os.Environ. It reads
// variables whose names are those of settings, and names with the prefix FLASK_, whose
// values are parsed as JSON if possible, as Flask's from_prefixed_env does. Names that
// are similar to those are errors. Other variables are ignored.
func FromEnv(environ []string) (*Loaded, error) {
	settings := map[string]any{}
	var problems []error
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		key, prefixed := strings.CutPrefix(name, "FLASK_")
		if !slices.Contains(known, key) && !misspelt(key) {
			continue
		}
		var v any = value
		if prefixed {
			v = flaskValue(value)
		}
		if other, ok := settings[key]; ok && fmt.Sprint(other) != fmt.Sprint(v) {
			problems = append(problems,
				fmt.Errorf("%.80q: it is given twice with different values, perhaps once with the prefix FLASK_; "+
					"remove one", key))
		}
		settings[key] = v
	}
	loaded, err := Load(settings)
	if len(problems) > 0 {
		return nil, errors.Join(fmt.Errorf("flaskoidc: environment: %w", errors.Join(problems...)), err)
	}
	return loaded, err
}

// flaskValue parses a variable as Flask does: as JSON, or else as plain text.
func flaskValue(s string) any {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	var v any
	if len(s) > maxText || !json.Valid([]byte(s)) || dec.Decode(&v) != nil {
		return s
	}
	return v
}
