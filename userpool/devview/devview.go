package devview

import (
	"log/slog"
	"net/http"

	"github.com/cognate-auth/cognate/userpool"
)

// Handler serves the view. Its fields must not change once it serves.
type Handler struct {
	Pool             *userpool.Pool
	BaseURL          string
	Logger           *slog.Logger
	InsecureAnywhere bool
}

// Mount registers the view below /_cognate/.
func (h *Handler) Mount(mux *http.ServeMux) {}
