"""What the grid's server and its workers share, in SQL: users, keys, sessions under leases, webhook events, audit."""
