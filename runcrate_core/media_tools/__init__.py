"""Media tools for agents: one module a tool, with arguments, description, annotations and flow."""
