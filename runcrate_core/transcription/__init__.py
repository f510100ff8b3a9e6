"""Transcription for document loaders and tools: sources, long audio, segments and subtitles."""
