"""What users may do. Plain functions over `Services`: the API, the import and the command line use them alike.

Each decides (`rules.py` has the rules that deserve a name), then changes the directory, or
appends through ingest, which applies membership before it answers.
"""
