// Package house holds the tests of the repository itself:
//
//   - which package may import which, and what the library brings along (TestArrows,
//     TestTestsOnly, TestDependencies);
//   - what the public packages export (TestExported);
//   - how large packages, types, files and functions are, and may be (TestFigures,
//     TestRooms);
//   - that the pages say what is true (TestDocumented…, TestReadmeProgram,
//     TestBehavioursAreTested);
//   - that the check of commits finds what it is for (TestCommits…).
//
// Tests of what the code does stand beside that code.
//
// Nothing imports it, and it imports nothing of ours: it reads the files, at the top of the
// repository.
package house
