"""Regressors of log price, one a module, their objectives and the blend."""
