package devview

import "strings"

// HasMend reports whether there is a sentence for a reason.
func HasMend(reason string) bool {
	if _, ok := mends[reason]; ok {
		return true
	}
	for beginning := range beginnings {
		if strings.HasPrefix(reason, beginning) {
			return true
		}
	}
	return false
}
