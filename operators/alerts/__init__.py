"""Telling people of trends: rules, the outbox, and what is sent from it."""
