"""The version of the distribution `runcrate-integrations`."""

__version__ = "0.1.0"
