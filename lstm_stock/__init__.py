"""Forecast stocks with an LSTM, honestly."""
