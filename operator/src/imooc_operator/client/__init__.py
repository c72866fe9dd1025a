"""HTTP to the API server: configuration, connections, verbs, watch streams and their errors."""
