"""Threads: who owns what, and who tells whom. `system` is the map; every other file is one actor or its carrier."""
