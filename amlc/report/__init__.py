"""What a run of the pipeline found: a page, tables for plots, and a summary."""
