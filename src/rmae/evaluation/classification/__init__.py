"""Classification: k nearest neighbours, a linear probe, and fine-tuning."""
