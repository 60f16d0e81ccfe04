"""Telling people who look elsewhere: who gets a push and why, and the services that bring it to their devices.

`decide.py` judges, `facts.py` reads what it judges by, `sender.py` works the jobs off, and
`web_push.py`, `fcm.py` and `apns.py` are the three ways to a device (ADR 0038).
"""
