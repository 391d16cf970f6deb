package house_test

import "testing"

// TestRooms keeps packages, types, files and functions to a size that one can read.
func TestRooms(t *testing.T) {
	for _, room := range rooms {
		for _, f := range largest(room.all(t)) {
			if f.n > room.most {
				t.Errorf("%s: %d %s, want %d at most", f.name, f.n, room.what, room.most)
			}
		}
	}
}
