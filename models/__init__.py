"""Thought: values and decisions. No thread, socket, clock, SQL session or file handle lives here.

Reading order: `money`, `market`, `book`, `sets`, `fees`, `signal`, `tradeset`, `messages`.
"""
