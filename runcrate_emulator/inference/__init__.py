"""The inference endpoints, one module a subject; each exports `routes`."""
