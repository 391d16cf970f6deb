package app

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cognate-auth/cognate"
)

const (
	maxItems = 100     // of each person
	maxLists = 1_000   // of all people together
	maxText  = 200     // bytes of an item
	maxBody  = 1 << 10 // bytes of a request
)

type item struct {
	ID   int    `json:"id"`
	Text string `json:"text"`
}

// lists keeps everybody's items in memory, by subject. It is safe for concurrent use.
type lists struct {
	mu    sync.Mutex
	last  int
	items map[string][]item
}

func newLists() *lists { return &lists{items: make(map[string][]item)} }

func (l *lists) show(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	items := slices.Clone(l.items[cognate.UserFrom(r.Context()).Subject])
	l.mu.Unlock()
	reply(w, http.StatusOK, append([]item{}, items...)) // an empty list is [] and not null
}

func (l *lists) add(w http.ResponseWriter, r *http.Request) {
	var in item
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&in)
	in.Text = strings.TrimSpace(in.Text)
	if err != nil || in.Text == "" || len(in.Text) > maxText {
		reply(w, http.StatusBadRequest, map[string]string{"error": "An item has 1 to 200 characters."})
		return
	}
	owner := cognate.UserFrom(r.Context()).Subject
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.items[owner]) >= maxItems || l.items[owner] == nil && len(l.items) >= maxLists {
		reply(w, http.StatusConflict, map[string]string{"error": "The list is full."})
		return
	}
	l.last++
	in.ID = l.last
	l.items[owner] = append(l.items[owner], in)
	reply(w, http.StatusCreated, in)
}

// remove removes an item of the person's own list: another person's item is not found.
func (l *lists) remove(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PathValue("id")) // not a number: 0, which no item has
	owner := cognate.UserFrom(r.Context()).Subject
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.IndexFunc(l.items[owner], func(i item) bool { return i.ID == id })
	if at < 0 {
		reply(w, http.StatusNotFound, map[string]string{"error": "There is no such item."})
		return
	}
	l.items[owner] = slices.Delete(l.items[owner], at, at+1)
	if len(l.items[owner]) == 0 {
		delete(l.items, owner)
	}
	w.WriteHeader(http.StatusNoContent)
}
