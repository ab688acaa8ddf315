"""WebSockets of the simulated Binance USD-M exchange: connections, subscriptions, frames, user streams, faults."""
