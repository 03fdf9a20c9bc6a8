"""A small multilayer perceptron over sparse terms and dense columns."""
