"""System D: signals from the order books of futures. It sends and follows signals; it never trades (D1)."""
