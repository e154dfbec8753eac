"""Kalshi (trade-api v2, predictions exchange). The only place that knows its tickers, frames and endpoints."""
