"""The operator's face: one table of commands, reached from the console, from another shell, and from `watch`.

`face` says what the bot must offer, `command` and `verbs_*` are the table, `console` and `plain` are its two terminals,
`control` and `client` the two ends of the UNIX socket, `watch` the full screen in its own process.
"""
