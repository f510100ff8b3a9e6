"""Images, videos and sound that a person can check, and the reading of them. No HTTP in here."""
