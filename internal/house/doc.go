// Package house holds the tests of the repository itself: which package may import which
// (TestArrows, TestTestsOnly, TestDependencies), what the public ones export (TestExported),
// and that the pages say what is true (TestDocumented…, TestReadmeProgram,
// TestBehavioursAreTested). Tests of what the code does stand beside that code.
//
// Nothing imports it, and it imports nothing of ours: it reads the files, at the top of the
// repository.
package house
