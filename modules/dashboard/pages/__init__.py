"""What each page shows: builders that read shared state and SQL, and change nothing."""
