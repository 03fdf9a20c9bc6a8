"""What models see of a catalogue text."""
