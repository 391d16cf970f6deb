package memstore

import (
	"iter"
	"slices"
	"sort"
)

// blockSize is how many elements lie together: few enough to move at every
// insertion, and enough that a million elements are some thousand blocks.
const blockSize = 256

// sorted is a list in order, in blocks, so that insertion, removal and search
// take about the same time for ten elements and for a million.
type sorted[T any] struct {
	compare func(a, b T) int
	blocks  [][]T // none is empty
}

// search returns the place of the first element x with before(x) == false; all
// elements ahead of it are before.
func (s *sorted[T]) search(before func(T) bool) (block, i int) {
	block = sort.Search(len(s.blocks), func(b int) bool {
		return !before(s.blocks[b][len(s.blocks[b])-1])
	})
	if block == len(s.blocks) {
		return block, 0
	}
	return block, sort.Search(len(s.blocks[block]), func(i int) bool { return !before(s.blocks[block][i]) })
}

// insert adds x, which is not in the list.
func (s *sorted[T]) insert(x T) {
	b, i := s.search(func(y T) bool { return s.compare(y, x) < 0 })
	switch {
	case len(s.blocks) == 0:
		s.blocks = append(s.blocks, nil)
	case b == len(s.blocks):
		b--
		i = len(s.blocks[b])
	}
	block := slices.Insert(s.blocks[b], i, x)
	if len(block) <= blockSize {
		s.blocks[b] = block
		return
	}
	half := len(block) / 2
	s.blocks = slices.Insert(s.blocks, b+1, slices.Clone(block[half:]))
	clear(block[half:])
	s.blocks[b] = block[:half]
}

// remove takes x out of the list, if it is in it.
func (s *sorted[T]) remove(x T) {
	b, i := s.search(func(y T) bool { return s.compare(y, x) < 0 })
	if b == len(s.blocks) || s.compare(s.blocks[b][i], x) != 0 {
		return
	}
	s.blocks[b] = slices.Delete(s.blocks[b], i, i+1)
	if len(s.blocks[b]) == 0 {
		s.blocks = slices.Delete(s.blocks, b, b+1)
	}
}

// up yields the elements from the first that is not before, in order. The list
// must not change meanwhile.
func (s *sorted[T]) up(before func(T) bool) iter.Seq[T] {
	return func(yield func(T) bool) {
		b, i := s.search(before)
		for ; b < len(s.blocks); b, i = b+1, 0 {
			for _, x := range s.blocks[b][i:] {
				if !yield(x) {
					return
				}
			}
		}
	}
}

// down yields the elements that are before, in the opposite order. The list
// must not change meanwhile.
func (s *sorted[T]) down(before func(T) bool) iter.Seq[T] {
	return func(yield func(T) bool) {
		b, i := s.search(before)
		for ; b >= 0; b-- {
			if b < len(s.blocks) {
				for _, x := range slices.Backward(s.blocks[b][:i]) {
					if !yield(x) {
						return
					}
				}
			}
			if b > 0 {
				i = len(s.blocks[b-1])
			}
		}
	}
}
