package sqlstore

// Statements returns how many statements a store in a SQLite file has run to change
// records.
func (s *Store) Statements() int {
	e := s.engine.(*sqliteEngine)
	writer := <-e.writer
	defer func() { e.writer <- writer }()
	return writer.statements
}
