package memstore

// NewLimited returns a store that keeps at most limit records of each kind.
func NewLimited(limit int) *Store {
	s := New()
	s.limit = limit
	return s
}

// Sorted is the list that records are kept in, of numbers.
type Sorted struct{ s sorted[int] }

// NewSorted returns an empty list.
func NewSorted() *Sorted {
	return &Sorted{sorted[int]{compare: func(a, b int) int { return a - b }}}
}

// Insert adds x, which is not in the list.
func (l *Sorted) Insert(x int) { l.s.insert(x) }

// Remove takes x out.
func (l *Sorted) Remove(x int) { l.s.remove(x) }

// Up returns the elements of at least x, in order.
func (l *Sorted) Up(x int) (out []int) {
	for y := range l.s.up(func(y int) bool { return y < x }) {
		out = append(out, y)
	}
	return out
}

// Down returns the elements below x, the greatest first.
func (l *Sorted) Down(x int) (out []int) {
	for y := range l.s.down(func(y int) bool { return y < x }) {
		out = append(out, y)
	}
	return out
}
