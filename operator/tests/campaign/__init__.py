"""The operator as a process against a real API server, with a proxy that fails on request."""
