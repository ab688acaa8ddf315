"""The REST server of system E: users, their keys and grids, webhooks (E10, E11). A process of its own."""
