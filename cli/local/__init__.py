"""The one-machine platform behind ``faas up``: a Kubernetes API, a kubelet, NATS and the services, as processes."""
