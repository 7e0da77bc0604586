"""Every reader of the project, fed with files that were damaged on purpose: `make fuzz`, and fewer in the tests."""
