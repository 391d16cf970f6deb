// Package compose has the tests of what runs in containers: the Dockerfiles of this repository,
// and examples/compose. An engine is not needed: the tests build the images by the lines of
// their Dockerfiles, and run the services in namespaces of Linux, with the names, addresses,
// volumes and ports that the Compose file gives them. They end with the test, however it ends.
//
// What they do with a file is a small part of what an engine does. A line or a key that they
// don't know is an error.
package compose
