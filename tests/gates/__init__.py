"""Promises that take long to test whole: each is a make target, and a small version of it an ordinary test."""
