"""One module for each subject of the API: its types, its calls and its two resource classes."""
