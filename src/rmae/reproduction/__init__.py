"""The paper's tables and its reviewers' controls, run again with seeds, on any budget."""
