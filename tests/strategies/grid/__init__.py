"""Tests of the hedging grid."""
