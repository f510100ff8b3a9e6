"""Chat completions: requests, replies (scripted or of the default model), and the wire format."""
