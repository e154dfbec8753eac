"""Polymarket (CLOB V2). The only place that knows its tokens, frames and endpoints."""
