"""I/O: the only code that holds a socket, sleeps or opens a file."""
