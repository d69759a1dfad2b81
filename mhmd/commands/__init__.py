"""The command line in parts: what commands have in common, and those that are no stages."""
