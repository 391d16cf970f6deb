package federation

// ParseKeys is parseKeys for tests: the kinds of the keys that are accepted.
func ParseKeys(body []byte) (keys []any, err error) {
	parsed, _, err := parseKeys(body)
	for _, k := range parsed {
		keys = append(keys, k.key)
	}
	return keys, err
}
