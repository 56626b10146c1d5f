"""How often the verdict claims something false, and how often it finds what is true.

worlds         markets whose conditional distribution is known at every cutoff
forecasters    a network and baselines of exactly equal expected CRPS, or with a known gain
batch          the tests of the verdict for many series at once
claims         false claims and power
faults         faults of calibration: found, and false alarms
tails          value at risk and expected shortfall: size and power
single_tests   the size of each test on random walks
"""
