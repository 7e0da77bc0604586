"""Drawing only: pictures, plots and pages."""
