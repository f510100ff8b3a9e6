"""The rim: the only code that holds a socket, sleeps or touches a file."""
