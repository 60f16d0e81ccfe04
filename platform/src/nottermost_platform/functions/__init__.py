"""Code of Lambda functions: each module is shipped alone, so it has the standard library and boto3 only."""
