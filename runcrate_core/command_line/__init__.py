"""The command `runcrate`: check a set-up and a service, show what runs, terminate it."""
