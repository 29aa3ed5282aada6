"""Metrics of the scaler (Prometheus)."""

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("faas_scaler_received_total", "Events of received calls that were counted")
REPORTS = Counter("faas_scaler_load_reports_total", "Load reports of routers that were taken in")
FUNCTIONS = Gauge("faas_scaler_functions", "Functions known")
LEADER = Gauge("faas_scaler_leader", "1 while this scaler is the one that acts")
WRITES = Counter("faas_scaler_writes_total", "Writes to the API server", ["action", "outcome"])
RECONCILE = Histogram(
    "faas_scaler_reconcile_seconds", "Time to plan for one Function", buckets=(1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 0.1)
)
DEMAND = Histogram(
    "faas_scaler_demand_seconds",
    "Time from a call at zero to the request that starts a Pod",
    buckets=(3e-4, 1e-3, 2e-3, 4e-3, 1e-2, 0.1),
)
