package devview

import "net/http"

func (h *Handler) outboxPage(w http.ResponseWriter, r *http.Request) {}
func (h *Handler) outboxJSON(w http.ResponseWriter, r *http.Request) {}
