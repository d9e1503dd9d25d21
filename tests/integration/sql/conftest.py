import os

# Needs a Citus cluster, and a database on its coordinator that is of no other use.
collect_ignore = [] if os.environ.get("CITUS_TEST_URL") else ["test_citus.py"]
