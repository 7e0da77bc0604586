"""Did it help? Downstream tasks, a package each; none imports another."""
