"""What several tests share: a stand-in API server, a user, the operator as a process."""
