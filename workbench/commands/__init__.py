"""The command `workbench`.

Owns which commands and options there are, what a command prints and its exit status; one file for each command. A command's
file loads, when it is imported, no more than its options need: what carries it out is imported when it is called. So the
version and the help are there at once, and no command waits for what another needs.

A command imports no other one: what several need is in `options` and `output`, and what is long has parts of its own, as
`train` has. Must not know Textual, the form of any file, or the messages of the engine's process: it asks the floors below
for what it shows.
"""
