"""Configuration files of the servers that make a level 2 node, as functions of its directory."""

import json
from pathlib import Path

NODE_ADDRESS = "10.200.0.1"
API_PORT = 6443  # the usual one: NetworkPolicies that let out to the API server name it
POD_RANGE = "10.244.0.0/16"
NODE_POD_RANGE = "10.244.0.0/24"
DNS_HEALTH_PORT = 8085
PAUSE_IMAGE = "localhost/pause:1"


def write_all(directory: Path, proxy_kubeconfig: Path, dns_kubeconfig: Path) -> None:
    """Writes every file; kube-proxy and CoreDNS are given the kubeconfig that each is to use."""
    (directory / "cni").mkdir()
    (directory / "resolv.conf").write_text("nameserver 127.0.0.1\n")  # of Pods that ask for the node's: they get none
    (directory / "cni/10-pods.conflist").write_text(json.dumps(pod_network(directory)))
    (directory / "containerd.toml").write_text(containerd(directory))
    (directory / "kubelet.yaml").write_text(json.dumps(kubelet(directory)))  # JSON is YAML
    (directory / "proxy.yaml").write_text(json.dumps(proxy(proxy_kubeconfig)))
    (directory / "Corefile").write_text(corefile(dns_kubeconfig))


def containerd_socket(directory: Path) -> Path:
    return directory / "containerd.sock"


def containerd(directory: Path) -> str:
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    # restrict_oom_score_adj: runc may not lower a score where the machine does not grant CAP_SYS_RESOURCE.
    return f"""
version = 2
root = "{directory}/containerd"
state = "/run/containerd/state"
[grpc]
  address = "{containerd_socket(directory)}"
[{cri}]
  restrict_oom_score_adj = true
  sandbox_image = "{PAUSE_IMAGE}"
[{cri}.cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{directory}/cni"
[{cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
"""


def pod_network(directory: Path) -> dict[str, object]:
    addresses = {
        "type": "host-local",
        "dataDir": f"{directory}/addresses",
        "ranges": [[{"subnet": NODE_POD_RANGE}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    # Without a bridge every packet between Pods is routed, so that it meets the rules of NetworkPolicies on any kernel.
    routed = {"type": "ptp", "ipMasq": True}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [{**routed, "ipam": addresses}, ports]}


def kubelet(directory: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,  # cgroup v1 is refused by default since 1.35
        "cgroupDriver": "cgroupfs",
        "containerRuntimeEndpoint": f"unix://{containerd_socket(directory)}",
        "clusterDNS": [NODE_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": f"{directory}/resolv.conf",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{directory}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{directory}/kubelet.crt",
        "tlsPrivateKeyFile": f"{directory}/kubelet.key",
        "podLogsDir": f"{directory}/pod-logs",
        "serializeImagePulls": False,
        "failSwapOn": False,
        "maxPods": 200,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,  # images can't be pulled again
    }


def proxy(kubeconfig: Path) -> dict[str, object]:
    nothing = {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": POD_RANGE,
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "conntrack": nothing,  # its limits are the whole machine's, not this namespace's
        "nftables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
    }


def corefile(kubeconfig: Path) -> str:
    return f"""
.:53 {{
    bind {NODE_ADDRESS}
    errors
    health 127.0.0.1:{DNS_HEALTH_PORT}
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 5
    }}
    cache 5
    loadbalance
}}
"""
