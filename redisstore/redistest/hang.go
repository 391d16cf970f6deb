//go:build unix

package redistest

import "syscall"

// Hang makes the server accept connections and answer nothing until Continue.
func (s *Server) Hang() {
	s.tb.Helper()
	s.signal(syscall.SIGSTOP)
}

// Continue ends Hang.
func (s *Server) Continue() {
	s.tb.Helper()
	s.signal(syscall.SIGCONT)
}
