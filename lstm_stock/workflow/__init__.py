"""The road from config to run, and from run to what users ask of it: the one place where all floors meet.

Each function here reads top to bottom in the order the data flows. Nothing here computes: it calls what does.

    trained   from config and prices to a saved run
    each      the same for each ticker by itself
    outlook   from a run to the next sessions
    checks    the leak check
    figures   from a run to its figures

Each is imported by itself: whoever needs one of them need not wait for the heavy imports of all.
"""
