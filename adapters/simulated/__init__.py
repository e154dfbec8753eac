"""The simulated exchange: a venue of our own, to trade on, to be wrong on, and to be judged by."""
