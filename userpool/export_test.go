package userpool

// Hashes returns how many passwords the pool has hashed so far.
func (p *Pool) Hashes() int64 { return p.hasher.runs.Load() }

// ParsePHC parses a hash and returns it written again.
func ParsePHC(s string) (string, error) {
	h, err := parsePHC(s)
	if err != nil {
		return "", err
	}
	return h.String(), nil
}

// Doors returns how many accounts have sign-ins under way or waiting.
func (p *Pool) Doors() int {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	return len(p.gate.doors)
}
