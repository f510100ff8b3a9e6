"""What a client costs, measured side by side with its peers."""
