"""The command `runcrate`: check a set-up and a service, see what runs and costs, and end it."""
