package app

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/cognate-auth/cognate"
)

const (
	maxNotes    = 1_000   // of all people together; after that the oldest is removed
	maxNoteBody = 4 << 10 // bytes of a request
)

// A note belongs to a subject: an e-mail address can later be given to another person.
type note struct {
	owner string
	Text  string `json:"text"`
}

// notebook keeps notes in memory. It is safe for concurrent use.
type notebook struct {
	mu    sync.Mutex
	notes []note
}

func (b *notebook) list(w http.ResponseWriter, r *http.Request) {
	owner := cognate.UserFrom(r.Context()).Subject
	found := []note{} // an empty list is [] and not null
	b.mu.Lock()
	for _, n := range b.notes {
		if n.owner == owner {
			found = append(found, n)
		}
	}
	b.mu.Unlock()
	reply(w, http.StatusOK, found)
}

func (b *notebook) add(w http.ResponseWriter, r *http.Request) {
	n := note{owner: cognate.UserFrom(r.Context()).Subject}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxNoteBody)).Decode(&n)
	if err != nil || n.Text == "" {
		reply(w, http.StatusBadRequest, map[string]string{"error": `expected {"text": "..."}`})
		return
	}
	b.mu.Lock()
	b.notes = append(b.notes, n)
	if len(b.notes) > maxNotes {
		b.notes = b.notes[1:]
	}
	b.mu.Unlock()
	reply(w, http.StatusCreated, n)
}

func (b *notebook) clear(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	b.notes = nil
	b.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}
