"""The infrastructure endpoints, one module a subject; each exports `routes`."""
