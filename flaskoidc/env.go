package flaskoidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// FromEnv is [Load] for environment variables in the form of os.Environ. It takes those
// that are named like a setting, or like one with FLASK_ before it, whose values Flask's
// from_prefixed_env reads as JSON where they are; and those that are nearly named so.
// Other variables are ignored.
func FromEnv(environ []string) (*Loaded, error) {
	settings := map[string]any{}
	var problems []error
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		key, prefixed := strings.CutPrefix(name, "FLASK_")
		if !slices.Contains(known, key) && !stray(key) {
			continue
		}
		var v any = value
		if prefixed {
			v = flaskValue(value)
		}
		if other, ok := settings[key]; ok && fmt.Sprint(other) != fmt.Sprint(v) {
			problems = append(problems,
				fmt.Errorf("%.80q: it is there twice, with FLASK_ before it perhaps, and differs; remove one", key))
		}
		settings[key] = v
	}
	loaded, err := Load(settings)
	if len(problems) > 0 {
		return nil, errors.Join(fmt.Errorf("flaskoidc: environment: %w", errors.Join(problems...)), err)
	}
	return loaded, err
}

// flaskValue reads a variable as Flask does: as JSON, or else as it is.
func flaskValue(s string) any {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	var v any
	if len(s) > maxText || !json.Valid([]byte(s)) || dec.Decode(&v) != nil {
		return s
	}
	return v
}
