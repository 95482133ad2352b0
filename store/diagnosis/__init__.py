"""The diagnosis of a failed run: the lines of its output that say why it failed, and the fingerprint of its error.

Everything here is a pure function of texts. The append that ends a run stores the result, and pages compute it too.
"""
