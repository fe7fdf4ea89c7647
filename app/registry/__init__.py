"""Plugins on this machine: what they declare, where they lie, and how a worker loads them."""
