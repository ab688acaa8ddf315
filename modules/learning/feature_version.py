"""The features' version, alone: who only reads models' cards loads nothing that computes."""

VERSION = 1  # raise it when a formula of features.py changes: models of another version are refused
