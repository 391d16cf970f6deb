package sessionstore

// Size returns the number of records and the number of members of all indexes, expired ones
// included.
func (s *Memory) Size() (records, members int) {
	for i := range s.shards {
		records += len(s.shards[i].records)
		for name := range s.indexes[i].first {
			members += len(s.indexes[i].list(name))
		}
	}
	return records, members
}
