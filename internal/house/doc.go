// Package house holds the tests of the repository itself:
//
//   - which package may import which, and which other modules the library needs (TestArrows,
//     TestTestsOnly, TestDependencies);
//   - what the public packages export (TestExported);
//   - how large packages, types, files and functions are, and may be (TestFigures,
//     TestRooms);
//   - that the documentation is true (TestDocumented…, TestReadmeProgram,
//     TestBehavioursAreTested);
//   - that the check of commits finds mistakes (TestCommits…).
//
// Tests of the code's behaviour are beside that code.
//
// Nothing imports this package, and it imports nothing of this module: it reads the files of
// the repository, from its top folder.
package house
