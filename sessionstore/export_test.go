package sessionstore

// Size returns how many records a store keeps and how many members its indexes have, expired
// ones included.
func (s *Memory) Size() (records, members int) {
	for i := range s.shards {
		records += len(s.shards[i].records)
		for name := range s.indexes[i].first {
			members += len(s.indexes[i].list(name))
		}
	}
	return records, members
}
