"""Benchmarks of the service and its peers under the same load: `make bench`; see docs/performance.md."""
