"""The engine's process, and the connection to it.

Owns who talks to whom: the host that drives one run by requests and tells what happens, the pipe or socket that carries that,
copies of a run in processes of their own, and what happens when either side ends. Threads and processes are made here only.
Must not know a screen. Whatever passes from one side to the other is a message of `protocol`, never a pickle.
"""
