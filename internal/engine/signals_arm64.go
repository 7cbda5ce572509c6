package engine

// runtimeSavedActions is not implemented: see signals_amd64.go.
func runtimeSavedActions() (saved [65]uint64, ok bool) { return saved, false }
