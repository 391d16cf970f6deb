package poolconfig

import (
	"reflect"
	"slices"
)

// Keys returns all keys of the YAML file, sorted, such as pools[].clients[].id.
func Keys() []string {
	keys := keysBelow("", reflect.TypeFor[fileModel]())
	slices.Sort(keys)
	return keys
}

func keysBelow(path string, t reflect.Type) []string {
	switch {
	case t.Kind() == reflect.Pointer:
		return keysBelow(path, t.Elem())
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return keysBelow(path+"[]", t.Elem())
	case t.Kind() != reflect.Struct:
		return []string{path}
	}
	var keys []string
	if path != "" {
		path += "."
	}
	for i, key := range keysOf(t) {
		keys = append(keys, keysBelow(path+key, t.Field(i).Type)...)
	}
	return keys
}

// Work reads a file and returns how many nodes were decoded for it.
func Work(l Loader, text []byte) (nodes int, err error) {
	in := l.reading("c.yaml")
	_, err = in.parse(text)
	return in.work, err
}

// Fitted returns how many of a client's scopes and attributes are converted.
func Fitted(scopes, attributes []string) (int, int) {
	m, _, _ := (&fitting{}).client(awsClient{Scopes: scopes, ReadAttributes: attributes})
	return len(m.Scopes), len(m.ReadAttributes)
}
