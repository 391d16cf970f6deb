package devview

// HasHint reports whether there is a sentence for a reason.
func HasHint(reason string) bool {
	_, ok := hints[reason]
	return ok
}
